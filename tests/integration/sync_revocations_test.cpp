// Sessions that Clerk has ended: from the job to the table that the gate reads.
#include "jobs/queue_admin.hpp"
#include "sync/session_revocations.hpp"

#include "sync_fixture.hpp"

namespace rollcall::sync {
namespace {

using testing::HasSubstr;

class SessionRevocationsTest : public SyncTest {
protected:
    // As the webhook door writes it; the job's id.
    std::string ended(const std::string& session, std::int64_t at_ms = 1'762'340'400'417,
                      const std::string& user = "user_a") const {
        return sql(
            fmt::format("INSERT INTO job_queue (job_type, payload, subject, version) VALUES "
                        "('REVOKE_SESSION', '{{\"clerk_id\": \"{1}\", \"session_id\": \"{0}\"}}', "
                        "'{1}', {2}) RETURNING id",
                        session, user, at_ms));
    }
    std::string revoked() const {
        return sql(
            "SELECT string_agg(concat_ws('|', session_id, clerk_id, "
            "extract(epoch FROM revoked_at)::numeric(20,3)), ' ' ORDER BY session_id) "
            "FROM rollcall.session_revocations");
    }

    SessionRevocations revocations{pool, 2, job_metrics, metrics};
};

TEST_F(SessionRevocationsTest, AreNotedAndTheJobIsDoneInOneTransaction) {
    const std::string id = ended("sess_1");
    EXPECT_EQ(run(revocations.run_once()), 1);
    EXPECT_EQ(revoked(), "sess_1|user_a|1762340400.417");
    EXPECT_EQ(job_state(id), "COMPLETED 1 -");
    EXPECT_EQ(sql("SELECT result->>'outcome' FROM job_queue"), "applied");
    EXPECT_THAT(metrics.render(),
                HasSubstr("rollcall_jobs_completed_total{kind=\"REVOKE_SESSION\",queue=\"users\","
                          "result=\"ok\"} 1"));
    EXPECT_EQ(run(revocations.run_once()), 0);
}

TEST_F(SessionRevocationsTest, EventsOfOneSessionInAnyOrderEndInTheEarliest) {
    for (const int late : {3, 5, 9, 7}) ended("sess_1", 1'762'340'400'000 + late);
    ended("sess_2", 1'762'340'400'007, "user_b");
    while (run(revocations.run_once()) > 0) {
    }
    EXPECT_EQ(revoked(), "sess_1|user_a|1762340400.003 sess_2|user_b|1762340400.007");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'COMPLETED'"), "5");
}

TEST_F(SessionRevocationsTest, AJobThatNamesNoSessionFailsAndHoldsUpNoOther) {
    const std::string bad = sql(
        "INSERT INTO job_queue (job_type, payload) VALUES ('REVOKE_SESSION', '[]') RETURNING id");
    const std::string good = ended("sess_1", -7);
    EXPECT_EQ(run(revocations.run_once()), 2);
    EXPECT_EQ(job_state(bad), "FAILED 1 The job names no session");
    EXPECT_EQ(job_state(good), "COMPLETED 1 -");
    // A time that cannot be is now.
    EXPECT_EQ(sql("SELECT revoked_at = noted_at FROM rollcall.session_revocations"), "t");
    // Set going again it fails again.
    jobs::QueueAdmin admin(pool);
    EXPECT_TRUE(run(admin.retry(bad)));
    EXPECT_EQ(run(revocations.run_once()), 1);
    EXPECT_EQ(job_state(bad), "FAILED 1 The job names no session");
}

TEST_F(SessionRevocationsTest, WhatWaitsIsListedCountedAndCancelled) {
    const std::string id = ended("sess_1");
    EXPECT_EQ(sql("SELECT ready FROM rollcall.queue_depths() WHERE queue = 'users'"), "1");
    jobs::QueueAdmin admin(pool);
    const auto page = run(admin.list({.status = "PENDING"}));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->jobs.size(), 1U);
    EXPECT_EQ(page->jobs[0].id, id);
    sql("UPDATE job_queue SET run_at = now() - interval '2 hours'");
    EXPECT_EQ(sql("SELECT id FROM rollcall.stuck_jobs()"), id);
    EXPECT_TRUE(run(admin.cancel(id)));
    EXPECT_EQ(run(revocations.run_once()), 0);
    EXPECT_EQ(revoked(), "");
}

TEST_F(SessionRevocationsTest, AreForgottenWhenNoTokenCanBeAliveAnyMore) {
    ended("sess_1");
    ended("sess_2");
    EXPECT_EQ(run(revocations.run_once()), 2);
    EXPECT_EQ(run(revocations.prune(10)), 0);
    EXPECT_THAT(metrics.render(), HasSubstr("\nrollcall_revocations 2\n"));
    // Longer than any token that is accepted.
    EXPECT_EQ(sql("SELECT min(expires_at - noted_at) >= interval '1 hour' "
                  "FROM rollcall.session_revocations"),
              "t");
    sql("UPDATE rollcall.session_revocations SET expires_at = now() - interval '1 second'");
    EXPECT_EQ(run(revocations.prune(1)), 1);
    EXPECT_THAT(metrics.render(), HasSubstr("\nrollcall_revocations 1\n"));
    EXPECT_EQ(run(revocations.prune(10)), 1);
    EXPECT_THAT(metrics.render(), HasSubstr("\nrollcall_revocations 0\n"));
    EXPECT_EQ(revoked(), "");
}

TEST_F(SessionRevocationsTest, AreClaimedThroughAnIndexOfTheirOwn) {
    EXPECT_THAT(sql("SET enable_seqscan = off; EXPLAIN (FORMAT JSON) SELECT id FROM job_queue "
                    "WHERE status = 'PENDING' AND job_type = 'REVOKE_SESSION' AND run_at <= now() "
                    "ORDER BY priority DESC, run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED"),
                HasSubstr("idx_job_queue_sessions"));
}

TEST_F(SessionRevocationsTest, AreNobodysBusinessButTheServices) {
    EXPECT_EQ(sql("SELECT has_table_privilege('anon', 'rollcall.session_revocations', 'SELECT') "
                  "OR has_table_privilege('authenticated', 'rollcall.session_revocations', "
                  "'SELECT')"),
              "f");
}

}  // namespace
}  // namespace rollcall::sync
