// Deletions by webhook beyond the guard wait for a person, where that is asked for.
#include "sync_fixture.hpp"

namespace rollcall::sync {
namespace {

using testing::HasSubstr;

class SyncHold : public SyncTest {
protected:
    SyncHold() : SyncTest({.deletions_alone = true}) {
        hold({.users = 2, .ratio = 0});
        sql("INSERT INTO job_queue (job_type, payload, subject, version) "
            "SELECT 'USER_CREATED', jsonb_build_object('clerk_id', 'user_' || n), 'user_' || n, n "
            "FROM generate_series(1, 6) AS n");
        work();
    }

    std::unique_ptr<ApplyUser> instance(DeletionGuard guard) {
        return std::make_unique<ApplyUser>(
            io.get_executor(), pool, *directory, nullptr, retry,
            ApplyConfig{.batch = config.batch, .lanes = 2, .hold = guard}, job_metrics);
    }
    void hold(DeletionGuard guard) { apply = instance(guard); }
    // By an instance that has just started, which looks at once for what waited.
    void work_again() {
        hold({.users = 2, .ratio = 0});
        work();
    }
    std::string deleted(int number, std::int64_t version = 1000) {
        return enqueue(
            {.clerk_id = fmt::format("user_{}", number), .version = version, .deletion = true});
    }
    std::string status(const std::string& id) const {
        return sql(fmt::format("SELECT status FROM job_queue WHERE id = '{}'", id));
    }
    std::string alive() const {
        return sql(
            "SELECT string_agg(clerk_id, ' ' ORDER BY clerk_id) FROM users "
            "WHERE deleted_at IS NULL");
    }
    std::string held() const {
        return sql(
            "SELECT string_agg(clerk_id, ' ' ORDER BY clerk_id) "
            "FROM rollcall.held_deletions()");
    }
};

TEST_F(SyncHold, WhatIsBeyondTheGuardWaitsWithItsReason) {
    for (int n = 1; n <= 5; ++n) deleted(n);
    work();
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE deleted_at IS NULL"), "4");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.held_deletions()"), "3");
    EXPECT_EQ(sql("SELECT DISTINCT status || ' ' || left(error, 55) FROM job_queue "
                  "WHERE status = 'FAILED'"),
              "FAILED held: webhooks deleted 2 users within an hour, and no m");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'PENDING'"), "0");
}

TEST_F(SyncHold, AnHourLaterOthersGoThroughAndWhatWaitsStillWaits) {
    for (int n = 1; n <= 2; ++n) deleted(n);
    work();
    const std::string late = deleted(3);
    work();
    EXPECT_EQ(held(), "user_3");
    sql("UPDATE rollcall.ledger SET deletion_seen_at = deletion_seen_at - interval '61 minutes'");
    deleted(4);
    work();
    EXPECT_EQ(alive(), "user_3 user_5 user_6");
    EXPECT_EQ(status(late), "FAILED");
}

TEST_F(SyncHold, WhatAPersonRetriesIsAppliedAboveTheGuardAndCountsForNobody) {
    for (int n = 1; n <= 2; ++n) deleted(n);
    work();
    const std::string three = deleted(3);
    const std::string four = deleted(4);
    work();
    EXPECT_EQ(sql("SELECT rollcall.retry_failed()"), "0") << "these wait for a person";
    EXPECT_EQ(sql("SELECT rollcall.retry_job('" + three + "')"), "t");
    work_again();
    EXPECT_EQ(alive(), "user_4 user_5 user_6");
    EXPECT_EQ(held(), "user_4");
    EXPECT_EQ(sql("SELECT users FROM rollcall.webhook_deletions()"), "2");
    EXPECT_EQ(sql("SELECT target || ' ' || (detail ->> 'held') FROM rollcall.audit_log "
                  "WHERE action = 'job.retry'"),
              three + " true");
}

TEST_F(SyncHold, WhatAPersonRefusesStaysSoAndTheUserLives) {
    for (int n = 1; n <= 3; ++n) deleted(n);
    work();
    const std::string job = sql("SELECT job FROM rollcall.held_deletions()");
    const std::string user = held();
    EXPECT_EQ(sql("SELECT rollcall.cancel_job('" + job + "')"), "t");
    EXPECT_EQ(status(job), "CANCELLED");
    work();
    EXPECT_THAT(alive(), HasSubstr(user));
    EXPECT_EQ(held(), "");
    // Other dead letters are not cancelled.
    sql("UPDATE job_queue SET status = 'FAILED', error = 'the disk is full' WHERE id = '" + job +
        "'");
    EXPECT_EQ(sql("SELECT rollcall.cancel_job('" + job + "')"), "f");
}

TEST_F(SyncHold, WhoIsDeletedAnywayDoesNotWaitAndWhoIsBeyondAShareDoes) {
    for (int n = 1; n <= 3; ++n) deleted(n);
    work();
    const std::string user = sql("SELECT clerk_id FROM rollcall.held_deletions()");
    read({.clerk_id = user, .version = 1, .deletion = true});  // as a pass does
    EXPECT_EQ(held(), "");
    enqueue({.clerk_id = user, .version = 2000, .deletion = true});
    work();
    EXPECT_EQ(held(), "");
    // Three of six are gone, all by the half that the guard allows by itself.
    hold({.users = 0, .ratio = 0.5});
    sql("UPDATE rollcall.ledger SET deletion_seen_at = now() - interval '2 hours'");
    deleted(4);
    deleted(5);
    work();
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE deleted_at IS NULL"), "2");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.held_deletions()"), "1");
}

TEST_F(SyncHold, OtherChangesOfTheUserGoOn) {
    for (int n = 1; n <= 2; ++n) deleted(n);
    work();
    deleted(3, 1000);
    enqueue({.clerk_id = "user_3", .version = 900, .name = "Before"});
    work();
    EXPECT_EQ(held(), "user_3");
    EXPECT_EQ(row("user_3"), "Before|-|user|alive");
    // What is later than the deletion does not bring the user back once it is approved.
    enqueue({.clerk_id = "user_3", .version = 1100, .name = "After"});
    work();
    sql("SELECT rollcall.retry_job(job) FROM rollcall.held_deletions()");
    work_again();
    EXPECT_THAT(row("user_3"), HasSubstr("deleted"));
}

TEST_F(SyncHold, TwoInstancesTogetherLetThroughWhatOneMay) {
    const auto other = instance({.users = 2, .ratio = 0});
    for (int n = 1; n <= 6; ++n) deleted(n);
    int ended = 0;
    for (int lane = 0; lane < 4; ++lane) {
        asio::co_spawn(
            io,
            [&, lane]() -> Task<> {
                ApplyUser& one = lane % 2 == 0 ? *apply : *other;
                for (int idle = 0; idle < 3;) idle = co_await one.run_once() == 0 ? idle + 1 : 0;
            },
            [&](std::exception_ptr failure) {
                EXPECT_EQ(failure, nullptr);
                ++ended;
            });
    }
    ASSERT_TRUE(test::wait_until(io, [&] { return ended == 4; }));
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE deleted_at IS NULL"), "4");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.held_deletions()"), "4");
}

}  // namespace
}  // namespace rollcall::sync
