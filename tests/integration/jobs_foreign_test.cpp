// Jobs that an application keeps in the same table, of types that are not rollcall's, stay exactly
// as the application left them.
#include "jobs_fixture.hpp"

#include "jobs/chores.hpp"
#include "jobs/queue_admin.hpp"
#include "jobs/sql.hpp"

#include <algorithm>

namespace rollcall::jobs {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class ForeignJobs : public JobsTest {
protected:
    // One in each state, old enough for every chore, of a user who was deleted.
    ForeignJobs() {
        sql("INSERT INTO job_queue (job_type, payload, status, subject, original_event, "
            "created_at, updated_at, processed_at, lease_until, leased_by) "
            "SELECT 'SEND_EMAIL', '{\"clerk_id\":\"user_gone\",\"email\":\"a@b.c\"}', s, "
            "'user_gone', 'event', at, at, at, CASE s WHEN 'PROCESSING' THEN at END, "
            "CASE s WHEN 'PROCESSING' THEN 'w1' END FROM unnest('{PENDING,PROCESSING,"
            "COMPLETED,FAILED,CANCELLED}'::text[]) s, (SELECT now() - interval '400 days') t (at)");
        sql("INSERT INTO rollcall.ledger (clerk_id, user_id, deleted_at, deletion_seen_at) "
            "VALUES ('user_gone', gen_random_uuid(), now(), now())");
    }
    [[nodiscard]] std::string content() const {
        return sql("SELECT md5(string_agg(j::text, ',' ORDER BY id)) FROM job_queue j");
    }
    QueueAdmin admin{pool};
};

TEST_F(ForeignJobs, AreLeftAloneByWorkersAndChores) {
    const auto before = content();
    Chores chores(io.get_executor(), pool, {.holder = "c"}, metrics);
    EXPECT_TRUE(claim().empty());
    EXPECT_EQ(run(chores.rescue()), 0);
    const auto swept = run(chores.sweep());
    EXPECT_EQ(swept.pruned + swept.blanked, 0);
    EXPECT_EQ(run(queue.release("w1")), 0);
    EXPECT_TRUE(run(admin.change(Verb::retry, {}, false))->matched.empty());
    EXPECT_EQ(content(), before);
}

TEST_F(ForeignJobs, AreNoneOfTheQueuesTroubles) {
    for (const auto& depth : run(admin.depth())) {
        EXPECT_EQ(depth.ready + depth.scheduled + depth.running + depth.retry + depth.dead, 0);
        EXPECT_EQ(depth.oldest_ready_age_seconds, 0);
    }
    EXPECT_TRUE(run(admin.stuck(seconds(3600))).empty());
}

TEST_F(ForeignJobs, AreSeenAndMovedByWhoeverNamesThem) {
    const auto page = run(admin.list({.status = "PENDING"}));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->jobs.size(), 1U);
    EXPECT_EQ(page->jobs[0].kind, "SEND_EMAIL");
    EXPECT_EQ(run(admin.stats()).size(), 5U);
    EXPECT_TRUE(run(admin.cancel(page->jobs[0].id)));
    EXPECT_EQ(run(admin.change(Verb::retry, {.kind = "SEND_EMAIL"}, false))->changed.size(), 1U);
}

TEST_F(ForeignJobs, AreClaimedByTheirApplicationThroughAnIndex) {
    EXPECT_THAT(sql("SET enable_seqscan = off; EXPLAIN (FORMAT JSON) SELECT id FROM job_queue "
                    "WHERE status = "
                    "'PENDING' AND job_type = 'SEND_EMAIL' ORDER BY priority DESC, created_at "
                    "LIMIT 1 FOR UPDATE SKIP LOCKED"),
                HasSubstr("idx_job_queue_foreign"));
}

TEST_F(JobsTest, OneListOfTypesIsEverywhereTheSame) {
    std::string names;
    for (const auto kind : own_kinds) names += (names.empty() ? "" : ",") + std::string(kind);
    EXPECT_EQ(sql("SELECT array_to_string(rollcall.own_types(), ',')"), names);
    std::string leased;
    for (const auto kind : own_kinds) {
        if (queue_of(kind) != queue_effects) continue;
        leased += (leased.empty() ? "" : ",") + std::string(kind);
    }
    EXPECT_EQ(sql("SELECT array_to_string(rollcall.leased_types(), ',')"), leased);
    // The indexes of what waits: every type is in one of them, and those claims find theirs.
    const auto types_of = [&](const std::string& index) {
        return sql(
            "SELECT string_agg(t[1], ',' ORDER BY n) FROM regexp_matches(pg_get_indexdef("
            "'idx_job_queue_" +
            index +
            "'::regclass), '''([A-Z_]+)''::text', 'g') "
            "WITH ORDINALITY AS m (t, n) WHERE t[1] <> 'PENDING'");
    };
    const auto leased_and_mirror = types_of("effects") + "," + types_of("mirror");
    const auto others = leased_and_mirror + ",REVOKE_SESSION";
    EXPECT_EQ(sql("SELECT pg_get_indexdef('idx_job_queue_sessions'::regclass) LIKE "
                  "'%''PENDING''%''REVOKE_SESSION''%'"),
              "t");
    EXPECT_EQ(types_of("priority_created") + "," + others, names);
    EXPECT_EQ(types_of("scheduled") + "," + others, names);
    // An application's have one that those are in too whose types came later.
    EXPECT_EQ(types_of("foreign") + ",SELF_TEST," + types_of("mirror") + ",REVOKE_SESSION", names);
}

TEST_F(JobsTest, AClaimReadsTheIndexOfItsLane) {
    const auto plan_of = [](const pg::Statement& claim, const std::string& kind) {
        return "PREPARE leased_claim AS " + std::string(claim.text) +
               "; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; "
               "EXPLAIN (FORMAT JSON) EXECUTE leased_claim('w', 10, 1000, '{1}', "
               "'{NULL}', '{00000000-0000-0000-0000-000000000000}', '{" +
               kind + "}')";
    };
    const auto leased = sql(plan_of(sql::claim, "REFRESH_USER"));
    EXPECT_THAT(leased, HasSubstr("idx_job_queue_effects"));
    EXPECT_THAT(leased, testing::Not(HasSubstr("Seq Scan")));
    const auto mirror = sql(plan_of(sql::claim_mirror, "MIRROR_USER"));
    EXPECT_THAT(mirror, HasSubstr("idx_job_queue_mirror"));
    EXPECT_THAT(mirror, testing::Not(HasSubstr("Seq Scan")));
}

TEST_F(JobsTest, WhatTheMirrorCountsReadsNoFinishedJob) {
    const auto plan = sql("SET enable_seqscan = off; EXPLAIN (FORMAT JSON) " +
                          sql("SELECT prosrc FROM pg_proc WHERE proname = 'mirror_counts'"));
    EXPECT_THAT(plan, HasSubstr("idx_job_queue_mirror"));
    EXPECT_THAT(plan, HasSubstr("idx_job_queue_status"));
    EXPECT_THAT(plan, testing::Not(HasSubstr("Seq Scan")));
}

}  // namespace
}  // namespace rollcall::jobs
