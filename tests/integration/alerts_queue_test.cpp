// What looks wrong though nothing fails: each condition over real rows, when it holds and when it
// just does not.
#include "alerts_fixture.hpp"

namespace rollcall::alerts {
namespace {

using testing::HasSubstr;

class QueueWatchTest : public AlertsTest {
protected:
    // The audit log refuses to forget.
    ~QueueWatchTest() override {
        sql("SET session_replication_role = replica; DELETE FROM rollcall.audit_log");
    }
    // `count` users of `kind`; `set` are the columns of the deletion.
    void users(const std::string& kind, int count, const std::string& deleted_ago = "") const {
        const std::string deleted =
            deleted_ago.empty() ? "NULL" : "now() - interval '" + deleted_ago + "'";
        sql(
            fmt::format("INSERT INTO rollcall.ledger (clerk_id, user_id, deleted_at, "
                        "deletion_seen_at) SELECT 'user_{}_' || n, gen_random_uuid(), {}, {} FROM "
                        "generate_series(1, {}) AS n",
                        kind, deleted, deleted, count));
    }
};

TEST_F(QueueWatchTest, ADeletionBurstIsMoreThanAPassMayDelete) {
    users("alive", 100);
    users("long_gone", 500, "61 minutes");
    users("gone", 10, "20 minutes");
    EXPECT_EQ(firing(), "");
    users("going", 1, "1 minute");
    EXPECT_EQ(firing(), "DeletionBurst");
    EXPECT_THAT(summary("DeletionBurst"), HasSubstr("11 users were deleted by webhook"));
    EXPECT_EQ(labels("DeletionBurst"), R"({"deleted": "11"})");
}

TEST_F(QueueWatchTest, ADeletionBurstIsAShareOfMany) {
    thresholds.guarded_users = 2;
    thresholds.guarded_ratio = 0.5;
    users("alive", 5);
    users("gone", 5, "5 minutes");
    EXPECT_EQ(firing(), "");
    users("going", 1, "5 minutes");
    EXPECT_EQ(firing(), "DeletionBurst");
}

TEST_F(QueueWatchTest, WhatPassesAndPeopleDeletedIsNoBurst) {
    users("gone", 30, "20 minutes");
    pass("full", "completed", 20, "deleted = 8");
    pass("user", "completed", 20, "deleted = 1");
    sql("INSERT INTO rollcall.held_deletes (run_id, clerk_id, decided_at, decision) "
        "SELECT max(id), 'user_' || n, now(), 'approved' FROM rollcall.sync_runs, "
        "generate_series(1, 6) AS n GROUP BY n");
    sql("INSERT INTO rollcall.absences (clerk_id, concluded_at) "
        "SELECT 'user_' || n, now() FROM generate_series(1, 5) AS n");
    EXPECT_EQ(firing(), "");
    sql("UPDATE rollcall.sync_runs SET deleted = 0 WHERE mode = 'user'");
    EXPECT_EQ(firing(), "DeletionBurst");
    thresholds.takes_webhooks = false;
    firing();
    later(10);
    EXPECT_EQ(firing(), "");
}

TEST_F(QueueWatchTest, JobsThatRollcallDidNotWriteAreForeign) {
    job("USER_CREATED", "COMPLETED", 1);  // has its event
    sql("INSERT INTO public.job_queue (job_type, event_id, blanked_at) "
        "VALUES ('USER_DELETED', 'msg_1', now())");  // had its event
    sql("SELECT rollcall.enqueue('REFRESH_USER', '{\"clerk_id\": \"user_a\"}')");
    sql("INSERT INTO public.job_queue (job_type) VALUES ('SEND_EMAIL')");
    sql("INSERT INTO public.job_queue (job_type, created_at) "
        "VALUES ('USER_UPDATED', now() - interval '11 minutes')");
    thresholds.queue_stuck = 0ms;
    EXPECT_EQ(firing(), "");
    const std::string id =
        sql("INSERT INTO public.job_queue (id, job_type, payload) VALUES (gen_random_uuid(), "
            "'USER_UPDATED', '{\"clerk_id\": \"user_a\", \"user_role\": \"admin\"}'); "
            "SELECT id FROM public.job_queue ORDER BY created_at DESC LIMIT 1");
    EXPECT_EQ(firing(), "ForeignJobs");
    EXPECT_THAT(summary("ForeignJobs"), HasSubstr("did not write: 1 (rollcall jobs show " + id));
}

TEST_F(QueueWatchTest, LooksForForeignJobsAmongTheNewestOnly) {
    EXPECT_THAT(sql("SET enable_seqscan = off; EXPLAIN (COSTS off) SELECT id FROM job_queue WHERE "
                    "created_at > now() - interval '10 minutes' AND original_event IS NULL"),
                testing::Not(HasSubstr("Seq Scan")));
    EXPECT_THAT(sql("SELECT array_to_string(proconfig, ' ') FROM pg_proc "
                    "WHERE oid = 'rollcall.foreign_changes'::regproc"),
                HasSubstr("enable_seqscan=off"));
}

TEST_F(QueueWatchTest, ARoleThatIsGivenIsTold) {
    const auto granted = [this](int minutes_ago) {
        sql(
            fmt::format("INSERT INTO rollcall.audit_log (at, actor, action, target, detail) "
                        "VALUES (now() - interval '{} minutes', 'webhook', 'role.granted', "
                        "'user_{}', '{{\"role\": \"admin\"}}')",
                        minutes_ago, minutes_ago));
    };
    granted(61);
    granted(30);
    EXPECT_EQ(firing(), "");  // before the first complete pass
    pass("full", "completed", 25);
    EXPECT_EQ(firing(), "");
    granted(20);
    granted(22);
    EXPECT_EQ(firing(), "AdminGranted");
    EXPECT_THAT(summary("AdminGranted"), HasSubstr("within an hour: 2; the last to user_20"));
    EXPECT_EQ(labels("AdminGranted"), R"({"roles": ["admin"]})");
    thresholds.admin_granted = false;
    firing();
    later(10);
    EXPECT_EQ(firing(), "");
    thresholds.admin_granted = true;
    thresholds.polls = false;
    EXPECT_EQ(firing(), "AdminGranted");
    EXPECT_THAT(summary("AdminGranted"), HasSubstr("within an hour: 3;"));
}

TEST_F(QueueWatchTest, SignatureFailuresOfOneNetworkAddUpOverTheMinutes) {
    const auto failed = [this](const std::string& network, int count, int minutes_ago) {
        sql(
            fmt::format("INSERT INTO rollcall.failing_networks VALUES "
                        "(date_trunc('minute', now()) - interval '{} minutes', '{}', {})",
                        minutes_ago, network, count));
    };
    failed("203.0.113.0/24", 60, 1);
    failed("203.0.113.0/24", 39, 2);
    failed("203.0.113.0/24", 500, 12);
    failed("198.51.100.0/24", 99, 1);
    EXPECT_EQ(firing(), "");
    failed("203.0.113.0/24", 1, 3);
    EXPECT_EQ(firing(), "SignatureFailuresFromOne");
    EXPECT_THAT(summary("SignatureFailuresFromOne"),
                HasSubstr("At least 100 deliveries from 203.0.113.0/24"));
}

TEST_F(QueueWatchTest, EachCanBeSwitchedOff) {
    job("MIRROR_USER", "PENDING", 20);
    users("gone", 11, "1 minute");
    sql("INSERT INTO public.job_queue (job_type) VALUES ('USER_UPDATED')");
    sql("INSERT INTO rollcall.failing_networks VALUES (now(), '203.0.113.0/24', 100)");
    EXPECT_EQ(firing(), "DeletionBurst ForeignJobs MirrorBehind SignatureFailuresFromOne");
    thresholds.mirror_behind = 0ms;
    thresholds.deletion_burst = false;
    thresholds.foreign_jobs = 0;
    thresholds.signature_failures_network = 0;
    firing();
    later(6);
    EXPECT_EQ(firing(), "");
}

}  // namespace
}  // namespace rollcall::alerts
