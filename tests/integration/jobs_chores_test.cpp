#include "jobs_fixture.hpp"

#include "jobs/chores.hpp"
#include "jobs/lease.hpp"

namespace rollcall::jobs {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class LeaseTest : public JobsTest {
protected:
    Lease lease(const std::string& holder) { return {pool, "duty", holder, seconds(15)}; }
    void lapse() { sql("UPDATE rollcall.leases SET until = now() - interval '1 second'"); }
};

TEST_F(LeaseTest, OneHolderAtATime) {
    Lease a = lease("a");
    Lease b = lease("b");
    EXPECT_FALSE(a.held());
    EXPECT_TRUE(run(a.hold()));
    EXPECT_TRUE(a.held());
    EXPECT_EQ(a.fence(), 1);
    EXPECT_FALSE(run(b.hold()));
    EXPECT_FALSE(b.held());
    EXPECT_TRUE(run(a.hold()));
    EXPECT_EQ(a.fence(), 1);
    EXPECT_EQ(sql("SELECT holder || fence FROM rollcall.leases"), "a1");
}

TEST_F(LeaseTest, AHolderThatDiedIsFollowedAndFenced) {
    Lease a = lease("a");
    Lease b = lease("b");
    EXPECT_TRUE(run(a.hold()));
    lapse();
    EXPECT_TRUE(run(b.hold()));
    EXPECT_EQ(b.fence(), 2);
    EXPECT_FALSE(run(a.hold()));  // it was only paused
    EXPECT_FALSE(a.held());
    EXPECT_EQ(a.fence(), 0);
    lapse();
    EXPECT_TRUE(run(a.hold()));
    EXPECT_EQ(a.fence(), 3);
}

TEST_F(LeaseTest, ALapseThatNobodySawIsNoChange) {
    Lease a = lease("a");
    EXPECT_TRUE(run(a.hold()));
    lapse();
    EXPECT_TRUE(run(a.hold()));
    EXPECT_EQ(a.fence(), 1);
}

// What was taken when the clock was an hour ahead lasts no hour, and is nobody else's at once.
TEST_F(LeaseTest, ADeadHolderIsFollowedInTimeThoughTheClockWasSetBack) {
    Lease a = lease("a");
    Lease b = lease("b");
    EXPECT_TRUE(run(a.hold()));
    sql("UPDATE rollcall.leases SET until = until + interval '1 hour'");
    EXPECT_FALSE(run(b.hold()));
    EXPECT_EQ(sql("SELECT until BETWEEN now() AND now() + interval '15 s' FROM rollcall.leases"),
              "t");
    EXPECT_TRUE(run(a.hold()));
    EXPECT_FALSE(run(b.hold()));
}

TEST_F(LeaseTest, TheSameNameAfterARestartIsAnotherHolder) {
    Lease before = lease("a");
    EXPECT_TRUE(run(before.hold()));
    Lease after = lease("a");
    EXPECT_FALSE(run(after.hold()));
    lapse();
    EXPECT_TRUE(run(after.hold()));
    EXPECT_EQ(after.fence(), 2);
}

TEST_F(LeaseTest, ReleaseLetsAnotherInAtOnceAndOnlyTheHolderReleases) {
    Lease a = lease("a");
    Lease b = lease("b");
    EXPECT_TRUE(run(a.hold()));
    run(b.release());
    EXPECT_FALSE(run(b.hold()));
    run(a.release());
    EXPECT_FALSE(a.held());
    EXPECT_TRUE(run(b.hold()));
    run(a.release());
    EXPECT_TRUE(run(b.hold()));
}

Task<> works(Lease& lease, bool breaks, bool& held) {
    held = lease.held();
    if (breaks) throw std::runtime_error("broken");
    co_return;
}

TEST_F(LeaseTest, WorkUnderItLetsGoWhateverBecomesOfIt) {
    Lease a = lease("a");
    Lease b = lease("b");
    bool held = false;
    EXPECT_TRUE(run(a.during(works(a, /*breaks=*/false, held))));
    EXPECT_TRUE(held);
    EXPECT_TRUE(run(b.during(works(b, /*breaks=*/false, held))));
    EXPECT_THROW(run(a.during(works(a, /*breaks=*/true, held))), std::runtime_error);
    EXPECT_TRUE(run(b.hold())) << "at once";
    held = false;
    EXPECT_FALSE(run(a.during(works(a, /*breaks=*/false, held))));
    EXPECT_FALSE(held) << "never begun";
}

TEST_F(LeaseTest, ManyAtOnceMakeOneHolder) {
    std::vector<std::unique_ptr<Lease>> all;
    for (int i = 0; i < 8; ++i) {
        all.push_back(std::make_unique<Lease>(pool, "duty", fmt::format("h{}", i), seconds(15)));
    }
    int asked = 0;
    int held = 0;
    for (const auto& one : all) {
        spawn(io.get_executor(), "hold", [](Lease& it, int& calls, int& holders) -> Task<> {
            holders += co_await it.hold() ? 1 : 0;
            ++calls;
        }(*one, asked, held));
    }
    ASSERT_TRUE(wait_until([&] { return asked == 8; }));
    EXPECT_EQ(held, 1);
}

class ChoresTest : public JobsTest {
protected:
    // A job in `state` that ended `age` ago, with personal data; returns its id.
    std::string ended(const std::string& state, const std::string& age,
                      const std::string& subject = "user_1",
                      const std::string& kind = "USER_UPDATED") const {
        return sql(fmt::format(
            "INSERT INTO job_queue (job_type, payload, status, subject, original_event, "
            "created_at, "
            "updated_at, processed_at) VALUES ('{3}', '{{\"clerk_id\":\"{2}\",\"email\":\"a@b.c\","
            "\"name\":\"A\",\"user_role\":\"user\",\"retry_count\":0}}', '{0}', '{2}', 'event', "
            "now() - interval '{1}', now() - interval '{1}', CASE WHEN '{0}' = 'PENDING' THEN NULL "
            "ELSE now() - interval '{1}' END) RETURNING id",
            state, age, subject, kind));
    }
    [[nodiscard]] bool there(const std::string& id) const {
        return sql(fmt::format("SELECT count(*) FROM job_queue WHERE id = '{}'", id)) == "1";
    }
    [[nodiscard]] bool blank(const std::string& id) const {
        return column(id,
                      "concat_ws('|', payload ? 'email', payload ? 'name', "
                      "original_event IS NULL, blanked_at IS NOT NULL)") == "f|f|t|t";
    }
    [[nodiscard]] bool whole(const std::string& id) const {
        return column(id,
                      "concat_ws('|', payload->>'email', payload->>'name', original_event, "
                      "blanked_at IS NULL)") == "a@b.c|A|event|t";
    }
    void deleted(const std::string& subject, const std::string& seen_at = "now()") const {
        sql(
            fmt::format("INSERT INTO rollcall.ledger (clerk_id, user_id, deleted_at, "
                        "deletion_seen_at) VALUES ('{}', gen_random_uuid(), now(), {})",
                        subject, seen_at));
    }
    ChoresConfig config(std::string holder = "c1") {
        return {.holder = std::move(holder), .sweep_pages = 2};
    }
    Chores chores{io.get_executor(), pool, config(), metrics};
};

TEST_F(ChoresTest, RescueTakesLapsedLeasesOnly) {
    const auto lost = add("REFRESH_USER");
    const auto fine = add("REFRESH_USER");
    const auto last = add("REFRESH_USER");
    sql(fmt::format("UPDATE job_queue SET max_attempts = 1 WHERE id = '{}'", last));
    claim();
    lapse(lost);
    lapse(last);
    EXPECT_EQ(run(chores.rescue()), 2);
    EXPECT_EQ(column(lost,
                     "concat_ws('|', status, attempts, error, run_at <= now(), "
                     "leased_by IS NULL, payload->>'retry_count')"),
              "PENDING|1|lease lapsed|t|t|1");
    EXPECT_EQ(column(lost, "history->-1->>'worker'"), "w1");
    EXPECT_EQ(history(lost), "PENDING PROCESSING PENDING");
    EXPECT_EQ(status(fine), "PROCESSING");
    EXPECT_EQ(column(last, "concat_ws('|', status, error, processed_at IS NOT NULL)"),
              "FAILED|lease lapsed in the last attempt|t");
    EXPECT_EQ(run(chores.rescue()), 0);
    EXPECT_THAT(registry.render(), HasSubstr(R"(rollcall_jobs_rescued_total{queue="effects"} 2)"));
}

TEST_F(ChoresTest, RescueGivesUpAfterTheConfiguredAttempts) {
    const auto id = add("REFRESH_USER");
    sql("UPDATE job_queue SET attempts = 9");
    claim();
    lapse(id);
    EXPECT_EQ(run(chores.rescue()), 1);
    EXPECT_EQ(status(id), "FAILED");
}

TEST_F(ChoresTest, RescueTakesBackWhatAnotherProgramLeftAnHourAgo) {
    const auto old = ended("PROCESSING", "61 minutes");
    const auto young = ended("PROCESSING", "59 minutes");
    EXPECT_EQ(run(chores.rescue()), 1);
    EXPECT_EQ(status(old), "PENDING");
    EXPECT_EQ(status(young), "PROCESSING");
    EXPECT_EQ(history(old), "PENDING PROCESSING PENDING");
}

TEST_F(ChoresTest, RescueTakesBackWhatBearsNoTime) {
    const auto untimed = ended("PROCESSING", "1 minute");
    const auto young = ended("PROCESSING", "1 minute");
    sql(fmt::format("UPDATE job_queue SET created_at = NULL WHERE id = '{}'", untimed));
    sql("UPDATE job_queue SET updated_at = NULL");
    EXPECT_EQ(sql("SELECT string_agg(id::text, ',') FROM rollcall.stuck_jobs()"), untimed);
    EXPECT_EQ(run(chores.rescue()), 1);
    EXPECT_EQ(status(untimed), "PENDING");
    EXPECT_EQ(status(young), "PROCESSING");
}

TEST_F(ChoresTest, RescueOfThousandsGoesOnUntilNoneIsLeft) {
    sql("SELECT rollcall.enqueue('REFRESH_USER', '{}') FROM generate_series(1, 2100)");
    claim(5000);
    sql("UPDATE job_queue SET lease_until = now() - interval '1 second'");
    EXPECT_EQ(run(chores.rescue()), 2100);
}

TEST_F(ChoresTest, SweepRemovesEachStateAfterItsRetention) {
    const std::vector gone{ended("COMPLETED", "31 days"), ended("CANCELLED", "31 days"),
                           ended("FAILED", "91 days")};
    const std::vector stay{ended("COMPLETED", "29 days"), ended("CANCELLED", "29 days"),
                           ended("FAILED", "89 days"), ended("PENDING", "400 days"),
                           ended("PROCESSING", "400 days")};
    const auto swept = run(chores.sweep());
    EXPECT_EQ(swept.pruned, 3);
    for (const auto& id : gone) EXPECT_FALSE(there(id));
    for (const auto& id : stay) EXPECT_TRUE(there(id));
}

TEST_F(ChoresTest, SweepBlanksPersonalDataAfterItsRetention) {
    const std::vector blanked{ended("COMPLETED", "8 days"), ended("CANCELLED", "29 days 23 hours"),
                              ended("FAILED", "31 days")};
    const std::vector kept{ended("COMPLETED", "6 days"), ended("FAILED", "29 days"),
                           ended("PENDING", "400 days"), ended("PROCESSING", "400 days")};
    sql(
        fmt::format("UPDATE job_queue SET processed_at = NULL, "
                    "updated_at = now() - interval '31 days' WHERE id = '{}'",
                    blanked[2]));
    Chores quick(io.get_executor(), pool,
                 {.holder = "c", .keep_personal_failed = days(29) + hours(12)}, metrics);
    EXPECT_EQ(run(quick.sweep()).blanked, 3);
    for (const auto& id : blanked) EXPECT_TRUE(blank(id)) << column(id, "to_jsonb(job_queue)");
    for (const auto& id : kept) EXPECT_TRUE(whole(id)) << column(id, "to_jsonb(job_queue)");
    EXPECT_EQ(column(blanked[0],
                     "concat_ws('|', payload->>'clerk_id', payload->>'user_role', "
                     "status, updated_at < now() - interval '7 days')"),
              "user_1|user|COMPLETED|t");
    EXPECT_EQ(run(quick.sweep()).blanked, 0);
}

TEST_F(ChoresTest, SweepWalksTheWholeTableInPieces) {
    sql("INSERT INTO job_queue (job_type, payload, status, processed_at, original_event) "
        "SELECT 'USER_CREATED', '{\"email\":\"a@b.c\"}', 'COMPLETED', "
        "now() - CASE n % 2 WHEN 0 THEN interval '31 days' ELSE interval '8 days' END, "
        "repeat('x', 300) FROM generate_series(1, 3000) n");
    ASSERT_GT(std::stoi(sql("SELECT pg_relation_size('job_queue') / 8192")), 60);
    const auto swept = run(chores.sweep());
    EXPECT_EQ(swept.pruned, 1500);
    EXPECT_EQ(swept.blanked, 1500);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE payload ? 'email'"), "0");
}

TEST_F(ChoresTest, SweepBlanksWhatADeletedUserLeft) {
    deleted("user_gone", "now() - interval '3 days'");
    const auto done = ended("COMPLETED", "1 minute", "user_gone");
    const auto dead = ended("FAILED", "1 minute", "user_gone");
    const auto waits = ended("PENDING", "1 minute", "user_gone");
    const auto deletion = ended("PENDING", "1 minute", "user_gone", "USER_DELETED");
    const auto other = ended("COMPLETED", "1 minute", "user_1");
    const auto unnamed = ended("COMPLETED", "1 minute", "user_gone");
    sql(fmt::format("UPDATE job_queue SET subject = NULL WHERE id = '{}'", unnamed));
    EXPECT_EQ(run(chores.sweep()).blanked, 4);
    for (const auto& id : {done, dead, waits, unnamed}) EXPECT_TRUE(blank(id));
    for (const auto& id : {deletion, other}) EXPECT_TRUE(whole(id));
    EXPECT_EQ(status(waits), "PENDING");
    EXPECT_EQ(column(waits, "payload->>'clerk_id'"), "user_gone");
    EXPECT_EQ(sql(fmt::format("SELECT rollcall.retry_job('{}')", dead)), "f");
}

TEST_F(ChoresTest, SweepLeavesADeletionThatWaitsForAPerson) {
    deleted("user_gone", "now() - interval '400 days'");
    const auto waits = ended("FAILED", "400 days", "user_1", "USER_DELETED");
    const auto gone = ended("FAILED", "400 days", "user_gone", "USER_DELETED");
    const auto failed = ended("FAILED", "400 days", "user_2", "USER_DELETED");
    sql(fmt::format("UPDATE job_queue SET error = 'held: too many' WHERE id IN ('{}', '{}')", waits,
                    gone));
    EXPECT_EQ(run(chores.sweep()).pruned, 2);
    EXPECT_TRUE(whole(waits));
    EXPECT_FALSE(there(gone));
    EXPECT_FALSE(there(failed));
    EXPECT_EQ(sql(fmt::format("SELECT rollcall.retry_job('{}')", waits)), "t");
}

TEST_F(ChoresTest, SweepSkipsRowsThatAreHeld) {
    const auto held = ended("COMPLETED", "31 days");
    const auto free = ended("COMPLETED", "31 days");
    const pg::Statement lock{"test_lock", "SELECT 1 FROM job_queue WHERE id = $1::uuid FOR UPDATE"};
    pg::Params params;
    params.text(held);
    auto transaction = run(pool.begin());
    run(transaction.execute(lock, params));
    EXPECT_EQ(run(chores.sweep()).pruned, 1);
    EXPECT_TRUE(there(held));
    EXPECT_FALSE(there(free));
    run(transaction.commit());
    EXPECT_EQ(run(chores.sweep()).pruned, 1);
}

TEST_F(ChoresTest, RunsByItselfAndBlanksSoonAfterADeletion) {
    auto settings = config();
    settings.deleted_interval = milliseconds(20);
    settings.rescue_interval = milliseconds(20);
    settings.sample_interval = milliseconds(20);
    Chores mine(io.get_executor(), pool, settings, metrics);
    const auto old = ended("COMPLETED", "1 minute", "user_before");
    deleted("user_before", "now() - interval '2 hours'");
    const auto id = ended("COMPLETED", "1 minute", "user_gone");
    const auto other = ended("COMPLETED", "1 minute", "user_1");
    const auto lost = add("REFRESH_USER");
    claim();
    mine.start();
    ASSERT_TRUE(wait_until([&] { return blank(old); }));
    EXPECT_TRUE(whole(id));
    deleted("user_gone");
    ASSERT_TRUE(wait_until([&] { return blank(id); }));
    EXPECT_TRUE(whole(other));
    lapse(lost);
    ASSERT_TRUE(wait_until([&] { return status(lost) == "PENDING"; }));
    run(mine.stop());
    run(mine.stop());
    EXPECT_EQ(sql("SELECT until < now() FROM rollcall.leases WHERE name = 'chores'"), "t");
}

TEST_F(ChoresTest, OneInstanceAtATimeAndAnotherFollowsADeadOne) {
    auto settings = config("first");
    settings.lease = milliseconds(600);
    Chores first(io.get_executor(), pool, settings, metrics);
    settings.holder = "second";
    Chores second(io.get_executor(), pool, settings, metrics);
    const auto holder = [&] {
        return sql("SELECT string_agg(holder, ',') FROM rollcall.leases WHERE until > now()");
    };
    first.start();
    ASSERT_TRUE(wait_until([&] { return holder() == "first"; }));
    second.start();
    const auto fence = sql("SELECT fence FROM rollcall.leases");
    const auto begun = std::chrono::steady_clock::now();
    ASSERT_TRUE(wait_until([&] {
        EXPECT_EQ(holder(), "first");
        return std::chrono::steady_clock::now() - begun > seconds(1);
    }));
    EXPECT_EQ(sql("SELECT fence FROM rollcall.leases"), fence);
    // The first dies without a word: nothing renews its lease any more.
    sql("UPDATE rollcall.leases SET holder = 'dead', fence = fence + 1");
    ASSERT_TRUE(wait_until([&] { return holder() == "first" || holder() == "second"; }));
    run(first.stop());
    ASSERT_TRUE(wait_until([&] { return holder() == "second"; }));
    run(second.stop());
}

TEST_F(ChoresTest, SampleCountsWhatWaits) {
    add("USER_CREATED");
    add("USER_UPDATED", 1, "now() + interval '1 hour'");
    sql(fmt::format("UPDATE job_queue SET attempts = 2 WHERE id = '{}'",
                    add("USER_UPDATED", 1, "now() + interval '1 hour'")));
    add("USER_UPDATED", 1, "now() - interval '1 minute'");
    ended("FAILED", "1 minute");
    ended("COMPLETED", "1 minute");
    sql(
        fmt::format("UPDATE job_queue SET run_at = now() - interval '30 s', "
                    "created_at = now() - interval '40 s' WHERE id = '{}'",
                    add("REFRESH_USER")));
    add("REFRESH_USER", 9);
    claim(1);
    run(chores.sample());
    const auto page = registry.render();
    for (const auto* line : {R"(rollcall_queue_jobs{queue="users",state="ready"} 2)",
                             R"(rollcall_queue_jobs{queue="users",state="scheduled"} 1)",
                             R"(rollcall_queue_jobs{queue="users",state="retry"} 1)",
                             R"(rollcall_queue_jobs{queue="users",state="dead"} 1)",
                             R"(rollcall_queue_jobs{queue="effects",state="ready"} 1)",
                             R"(rollcall_queue_jobs{queue="effects",state="running"} 1)",
                             R"(rollcall_queue_oldest_ready_age_seconds{queue="effects"} 30.)"}) {
        EXPECT_THAT(page, HasSubstr(line));
    }
}

}  // namespace
}  // namespace rollcall::jobs
