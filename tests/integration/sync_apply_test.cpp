// The pass that works off users' changes: what it does when a batch is refused, when the row cannot
// go, when nothing or a lot is due, and what it tells.
#include "base/log.hpp"
#include "jobs/work_loop.hpp"
#include "sync_fixture.hpp"

namespace rollcall::sync {
namespace {

using directory::DeleteMode;
using testing::HasSubstr;
using testing::StartsWith;

class ApplyUserTest : public SyncTest {};

TEST_F(ApplyUserTest, WorksOffPrioritiesAndTellsOfEachChange) {
    enqueue({.clerk_id = "user_a", .version = 2000});
    enqueue({.clerk_id = "user_b", .version = 1000}, "USER_CREATED");
    enqueue({.clerk_id = "user_c", .version = 1000, .deletion = true});
    sql(R"(INSERT INTO job_queue (job_type, payload, priority)
           VALUES ('USER_CREATED', '{"clerk_id": "user_d"}', 9),
                  ('USER_CREATED', '{"clerk_id": "user_e"}', -4))");
    EXPECT_EQ(run(apply->run_once()), 5);
    EXPECT_EQ(run(apply->run_once()), 0);
    EXPECT_THAT(changes, testing::UnorderedElementsAre(
                             "USER_CREATED user_d applied", "USER_CREATED user_b applied",
                             "USER_UPDATED user_a applied", "USER_DELETED user_c deleted",
                             "USER_CREATED user_e applied"));
    EXPECT_EQ(changes.front(), "USER_CREATED user_d applied");
    EXPECT_EQ(changes.back(), "USER_CREATED user_e applied");
    const std::string page = metrics.render();
    EXPECT_THAT(page, HasSubstr("rollcall_jobs_completed_total{kind=\"USER_CREATED\","
                                "queue=\"users\",result=\"ok\"} 3"));
    EXPECT_THAT(page, HasSubstr("rollcall_job_end_to_end_seconds_count{kind=\"USER_DELETED\"} 1"));
    EXPECT_THAT(page, HasSubstr("rollcall_job_wait_seconds_count{queue=\"users\"} 5"));
}

TEST_F(ApplyUserTest, AJobThatCommitsLateIsFound) {
    enqueue({.clerk_id = "user_a"});
    work();
    pg::Transaction late = run(pool.begin());
    run(late.execute({"late",
                      "INSERT INTO job_queue (job_type, payload) VALUES ('USER_UPDATED', "
                      "jsonb_build_object('clerk_id', 'user_late'))"}));
    enqueue({.clerk_id = "user_b"});
    work();  // goes past it
    run(late.commit());
    EXPECT_EQ(run(apply->run_once()), 1);
    EXPECT_EQ(row("user_late"), "-|-|user|alive");
}

TEST_F(ApplyUserTest, AJobFromTheFutureKeepsNobodyWaiting) {
    sql("INSERT INTO job_queue (job_type, payload, created_at) VALUES ('USER_UPDATED', "
        "jsonb_build_object('clerk_id', 'user_future'), now() + interval '1 hour')");
    EXPECT_EQ(run(apply->run_once()), 1);
    enqueue({.clerk_id = "user_now"});
    EXPECT_EQ(run(apply->run_once()), 1);  // not only when a pass begins at the head again
    EXPECT_EQ(row("user_now"), "Ann|-|user|alive");
}

TEST_F(ApplyUserTest, AChangeAddedBySqlIsAsOldAsItsPayloadSays) {
    const std::int64_t newer = 1'767'225'600'000;  // 2026-01-01
    tell({.clerk_id = "user_a", .version = newer, .name = "Newer"});
    const auto add = [&](const std::string& name, const std::string& at) {
        sql(
            fmt::format("SELECT rollcall.enqueue('USER_UPDATED', jsonb_build_object('clerk_id', "
                        "'user_a', 'name', '{}', 'created_at', '{}'))",
                        name, at));
        work();
    };
    add("Older", "2025-12-31T23:59:59.999Z");
    EXPECT_EQ(row("user_a"), "Newer|-|user|alive");
    add("Newest", "2026-01-01T00:00:00.001Z");
    EXPECT_EQ(row("user_a"), "Newest|-|user|alive");
}

TEST_F(ApplyUserTest, AValueThatCannotBeStoredFailsAloneAndAtOnce) {
    for (int i = 0; i < 5; ++i) enqueue({.clerk_id = fmt::format("user_{}", i)});
    sql("ALTER TABLE users ALTER COLUMN name TYPE varchar(10)");
    make();
    const std::string bad = enqueue({.clerk_id = "user_x", .name = "longer than ten letters"});
    for (int i = 5; i < 10; ++i) enqueue({.clerk_id = fmt::format("user_{}", i)});
    const log::Capture log;
    EXPECT_EQ(work(), 11);
    EXPECT_THAT(job_state(bad), StartsWith("FAILED 1 The database refuses this change: "));
    EXPECT_THAT(job_state(bad), HasSubstr("(22001)"));
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "10");
    EXPECT_THAT(std::string(log.text()), HasSubstr("job_dead"));
    EXPECT_THAT(std::string(log.text()), testing::Not(HasSubstr("longer than")));
}

TEST_F(ApplyUserTest, AConstraintOfTheApplicationsIsTriedAgainAndGivenUp) {
    retry.attempts_max = 3;
    make();
    sql("ALTER TABLE users ADD CONSTRAINT no_x CHECK (clerk_id <> 'user_x')");
    const std::string bad = enqueue({.clerk_id = "user_x", .name = "Xaver"});
    enqueue({.clerk_id = "user_y"});
    work();
    EXPECT_EQ(row("user_y"), "Ann|-|user|alive");
    EXPECT_THAT(job_state(bad), StartsWith("PENDING 1 The database refuses this change: "));
    EXPECT_THAT(job_state(bad), HasSubstr("no_x"));
    EXPECT_EQ(sql("SELECT payload ->> 'retry_count' FROM job_queue WHERE id = '" + bad + "'"), "1");
    pass_time();
    work();
    EXPECT_THAT(job_state(bad), StartsWith("PENDING 2 "));
    pass_time();
    work();
    EXPECT_THAT(job_state(bad), StartsWith("FAILED 3 "));
    EXPECT_EQ(sql("SELECT string_agg(status || ' ' || coalesce(attempt, 0), ',') "
                  "FROM rollcall.job_history('" +
                  bad + "')"),
              "PENDING 0,PENDING 1,PENDING 2,FAILED 3");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE error LIKE '%Xaver%'"), "0");
}

TEST_F(ApplyUserTest, ATriggerThatRaisesHoldsUpNobody) {
    sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF new.clerk_id = 'user_x' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN new; "
        "END $$; CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION refuse()");
    const std::string bad = enqueue({.clerk_id = "user_x"});
    enqueue({.clerk_id = "user_y"});
    work();
    EXPECT_EQ(row("user_y"), "Ann|-|user|alive");
    EXPECT_THAT(job_state(bad), StartsWith("PENDING 1 "));
}

TEST_F(ApplyUserTest, ATableThatChangedUnderneathBurnsNoAttempts) {
    enqueue({.clerk_id = "user_a"});
    sql("ALTER TABLE users RENAME COLUMN name TO full_name");
    EXPECT_THROW(run(apply->run_once()), pg::SqlError);
    EXPECT_EQ(sql("SELECT status || attempts FROM job_queue"), "PENDING0");
    sql("ALTER TABLE users RENAME COLUMN full_name TO name");
    EXPECT_EQ(work(), 1);
}

TEST_F(ApplyUserTest, ARowThatOthersNeedIsKeptButTheUserIsGone) {
    config.columns.delete_mode = DeleteMode::hard;
    retry.attempts_max = 2;
    make();
    tell({.clerk_id = "user_a", .version = 1000});
    sql("CREATE TABLE orders (user_id uuid REFERENCES users (id));"
        "INSERT INTO orders SELECT id FROM users");
    const std::string deletion = enqueue({.clerk_id = "user_a", .version = 2000, .deletion = true});
    enqueue({.clerk_id = "user_b", .version = 1000});
    work();
    EXPECT_EQ(row("user_b"), "Ann|-|user|alive");
    EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
    EXPECT_EQ(sql("SELECT deleted_at = to_timestamp(2) FROM rollcall.ledger "
                  "WHERE clerk_id = 'user_a'"),
              "t");
    EXPECT_THAT(job_state(deletion), StartsWith("PENDING 1 The database refuses this change: "));
    EXPECT_THAT(job_state(deletion), HasSubstr("orders"));
    sql("DELETE FROM orders");
    pass_time();
    work();
    EXPECT_EQ(row("user_a"), "");
    EXPECT_THAT(job_state(deletion), StartsWith("COMPLETED "));
}

TEST_F(ApplyUserTest, AnUnusableJobFailsAgainWhenItIsTriedAgain) {
    const std::string id =
        sql("INSERT INTO job_queue (job_type, payload) VALUES "
            "('USER_UPDATED', '{\"clerk_id\": null}') RETURNING id");
    for (int i = 0; i < 2; ++i) {
        work();
        EXPECT_EQ(job_state(id), "FAILED 1 Unusable job: payload.clerk_id names no user");
        EXPECT_EQ(sql("SELECT rollcall.retry_job('" + id + "')"), "t");
        pass_time();
    }
}

TEST_F(ApplyUserTest, AnIdThatAnotherUsersRowHasByNowIsReplaced) {
    tell({.clerk_id = "user_dev", .version = 1000});
    const std::string id = sql("SELECT id FROM users");
    // Somebody moves the row over to the other instance's Clerk id.
    sql("UPDATE users SET clerk_id = 'user_live'");
    const std::string job = enqueue({.clerk_id = "user_dev", .version = 2000});
    enqueue({.clerk_id = "user_live", .version = 2000, .name = "Lea"});
    work();
    EXPECT_EQ(row("user_live"), "Lea|-|user|alive");
    EXPECT_EQ(row("user_dev"), "Ann|-|user|alive");
    EXPECT_EQ(job_state(job), "COMPLETED 1 -");
    EXPECT_EQ(sql("SELECT count(*) FROM users u JOIN rollcall.ledger l USING (clerk_id) "
                  "WHERE u.id = l.user_id"),
              "2");
    EXPECT_EQ(sql("SELECT id FROM users WHERE clerk_id = 'user_live'"), id);
}

// The end-to-end test waits for it; this one does not depend on what the jitter draws.
TEST_F(ApplyUserTest, AfterAnOutageWorkGoesOnWithinSeconds) {
    EXPECT_LE(pg::DatabaseConfig{}.reconnect.max + jobs::WorkLoopConfig{}.backoff.max,
              std::chrono::seconds(3));
}

TEST_F(ApplyUserTest, TwoInstancesShareTheWorkAndLoseNothing) {
    config.batch = 16;
    make();
    ApplyUser other(io.get_executor(), pool, *directory, &clerk, retry, {.batch = 16, .lanes = 2},
                    job_metrics);
    sql("INSERT INTO job_queue (job_type, payload, subject, version) "
        "SELECT 'USER_UPDATED', jsonb_build_object('clerk_id', 'user_' || n % 700, 'name', n), "
        "'user_' || n % 700, n FROM generate_series(1, 2000) n");
    std::map<int, int> done;
    int ended = 0;
    for (int lane = 0; lane < 4; ++lane) {
        asio::co_spawn(
            io,
            [&, lane]() -> Task<> {
                ApplyUser& one = lane % 2 == 0 ? *apply : other;
                for (int idle = 0; idle < 3;) {
                    const int count = co_await one.run_once();
                    done[lane] += count;
                    idle = count == 0 ? idle + 1 : 0;
                }
            },
            [&](std::exception_ptr failure) {
                EXPECT_EQ(failure, nullptr);
                ++ended;
            });
    }
    ASSERT_TRUE(test::wait_until(io, [&] { return ended == 4; }));
    EXPECT_EQ(done[0] + done[1] + done[2] + done[3], 2000);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'COMPLETED' AND attempts = 1"),
              "2000");
    EXPECT_EQ(sql("SELECT count(*) || ' ' || sum(name::int) FROM users"),
              sql("SELECT '700 ' || sum(n) FROM generate_series(1301, 2000) n"));
}

TEST_F(ApplyUserTest, ARefreshReadsTheUserAndSettlesTheTie) {
    tell({.clerk_id = "user_a", .version = 1000, .name = "First"});
    enqueue({.clerk_id = "user_a", .version = 1000, .name = "Second"});
    work();
    EXPECT_THAT(changes, testing::ElementsAre("USER_UPDATED user_a tie"));
    clerk.has("user_a", 1000, "a@example.com");
    EXPECT_EQ(refresh_all(), 1);
    EXPECT_EQ(row("user_a"), "Ann|a@example.com|user|alive");
    EXPECT_EQ(sql("SELECT status FROM job_queue WHERE job_type = 'REFRESH_USER'"), "COMPLETED");
}

TEST_F(ApplyUserTest, ARefreshWhileClerkIsAwayBurnsNoAttempt) {
    jobs::Job job;
    job.subject = "user_a";
    for (const bool throws : {true, false}) {
        clerk.throws = throws;
        clerk.away = !throws;
        const auto outcome = run(refresh->handle(job));
        ASSERT_TRUE(std::holds_alternative<jobs::Retry>(outcome));
        EXPECT_FALSE(std::get<jobs::Retry>(outcome).burns_attempt);
    }
    EXPECT_TRUE(std::holds_alternative<jobs::Failed>(run(refresh->handle(jobs::Job{}))));
}

TEST_F(ApplyUserTest, ARefreshThatIsOvertakenIsRepeated) {
    tell({.clerk_id = "user_a", .version = 1000, .name = "First"});
    clerk.has("user_a", 2000, "a@example.com");
    clerk.hook = [this](const std::string&) {
        // While Clerk answers, an event with the same version and other content is applied.
        clerk.hook = nullptr;
        sql("UPDATE rollcall.ledger SET version = 2000, content_hash = 7, "
            "changed_at = clock_timestamp()");
    };
    jobs::Job job;
    job.subject = "user_a";
    EXPECT_TRUE(std::holds_alternative<jobs::Retry>(run(refresh->handle(job))));
    EXPECT_EQ(row("user_a"), "First|-|user|alive");
    EXPECT_TRUE(std::holds_alternative<jobs::Completed>(run(refresh->handle(job))));
    EXPECT_EQ(row("user_a"), "Ann|a@example.com|user|alive");
}

}  // namespace
}  // namespace rollcall::sync
