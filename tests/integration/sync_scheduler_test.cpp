// Passes on a schedule: the first, the next, one instance of several, after failures, stops and
// jumps of the clock.
#include "polling_fixture.hpp"
#include "sync/scheduler.hpp"

namespace rollcall::sync {
namespace {

using namespace std::chrono_literals;

class SyncScheduler : public PollingTest {
protected:
    SyncScheduler() {
        schedule.interval = 100ms;
        schedule.full_interval = 1h;
    }
    ~SyncScheduler() override {
        for (auto& one : services) EXPECT_TRUE(run(one->scheduler->stop(10s)));
    }

    // What one process has.
    struct Process {
        std::unique_ptr<Reconciler> reconciler;
        std::unique_ptr<Scheduler> scheduler;
        std::vector<bool> duties;
    };
    Process& launch(const std::string& name) {
        auto one = std::make_unique<Process>();
        ReconcilerConfig named = settings;
        named.instance = name;
        one->reconciler = std::make_unique<Reconciler>(pool, *directory, clerk, *refresh, named);
        one->scheduler = std::make_unique<Scheduler>(
            io.get_executor(), pool, *one->reconciler,
            SchedulerConfig{.holder = name,
                            .schedule = schedule,
                            .lease = lease,
                            .look_again = 50ms,
                            .on_duty = [&duties = one->duties](bool has) -> Task<> {
                                duties.push_back(has);
                                co_return;
                            }});
        one->scheduler->start();
        services.push_back(std::move(one));
        return *services.back();
    }

    int count(std::string_view where) const {
        return std::stoi(
            sql(fmt::format("SELECT count(*) FROM rollcall.sync_runs WHERE {}", where)));
    }
    void wait_for(std::string_view where, int number) {
        ASSERT_TRUE(test::wait_until(io, [&] { return count(where) >= number; })) << where;
    }
    // As if the database's clock had jumped by `seconds` just now.
    void clock_jumps(int seconds) const {
        sql(
            fmt::format("UPDATE rollcall.sync_runs SET started_at = started_at - interval '{0} s', "
                        "finished_at = finished_at - interval '{0} s'",
                        seconds));
        sql(
            fmt::format("UPDATE rollcall.sync_state SET "
                        "full_completed_at = full_completed_at - interval '{} s'",
                        seconds));
    }

    ScheduleConfig schedule;
    std::chrono::milliseconds lease{2'000};
    std::vector<std::unique_ptr<Process>> services;
};

TEST_F(SyncScheduler, ACompletePassFirstThenIncrementalOnes) {
    fill(120);
    launch("one");
    wait_for("status = 'completed'", 3);
    EXPECT_EQ(sql("SELECT string_agg(concat_ws(' ', trigger, mode), ', ' ORDER BY id) FROM "
                  "(SELECT * FROM rollcall.sync_runs ORDER BY id LIMIT 3) AS first_runs"),
              "start full, schedule incremental, schedule incremental");
    EXPECT_EQ(table(), truth());
    clerk.rename("user_00007", "Another Name");
    ASSERT_TRUE(test::wait_until(io, [&] { return table() == truth(); }));
}

TEST_F(SyncScheduler, ACompletePassComesBackAfterItsInterval) {
    fill(60);
    schedule.full_interval = 300ms;
    launch("one");
    wait_for("mode = 'full' AND status = 'completed'", 3);
    EXPECT_GE(count("mode = 'incremental'"), 1);
}

TEST_F(SyncScheduler, OfTwoServicesOneRunsAndTheOtherTakesOver) {
    fill(60);
    Process& one = launch("one");
    Process& two = launch("two");
    wait_for("status = 'completed'", 5);
    EXPECT_EQ(sql("SELECT count(DISTINCT instance) FROM rollcall.sync_runs"), "1");
    EXPECT_EQ(count("mode = 'full'"), 1);
    ASSERT_NE(one.scheduler->has_duty(), two.scheduler->has_duty());
    Process& leader = one.scheduler->has_duty() ? one : two;
    Process& other = one.scheduler->has_duty() ? two : one;
    EXPECT_THAT(leader.duties, testing::ElementsAre(true));
    EXPECT_THAT(other.duties, testing::IsEmpty());
    ASSERT_TRUE(run(leader.scheduler->stop(10s)));
    EXPECT_THAT(leader.duties, testing::ElementsAre(true, false));
    const std::string heir = other.scheduler == one.scheduler ? "one" : "two";
    wait_for(fmt::format("instance = '{}' AND status = 'completed'", heir), 2);
    EXPECT_THAT(other.duties, testing::ElementsAre(true));
    EXPECT_EQ(count("mode = 'full'"), 1);
}

// It does not give its lease back: the other waits for the lapse.
// fault 21
TEST_F(SyncScheduler, ALeaderThatDiesIsFollowed) {
    lease = 300ms;
    fill(20);
    sql("INSERT INTO rollcall.leases (name, holder, fence, until) "
        "VALUES ('schedule', 'dead', 7, now() + interval '400 ms')");
    Process& one = launch("one");
    EXPECT_FALSE(test::wait_until(io, [&] { return one.scheduler->has_duty(); }, 100ms));
    wait_for("status = 'completed'", 2);
}

TEST_F(SyncScheduler, AFailedRunNeverCountsAsDone) {
    fill(60);
    schedule.interval = 40ms;
    bool away = true;
    clerk.on_list = [&away](const auto&, auto&) -> std::optional<Error> {
        if (!away) return std::nullopt;
        return Error{ErrorCode::unavailable, "Clerk: 503"};
    };
    launch("one");
    wait_for("status = 'failed'", 3);
    EXPECT_EQ(count("mode <> 'full' OR trigger <> 'start'"), 0);
    EXPECT_EQ(sql("SELECT concat_ws(' ', watermark_ms, full_completed_at) "
                  "FROM rollcall.sync_state"),
              "");
    away = false;
    wait_for("mode = 'full' AND status = 'completed'", 1);
    EXPECT_EQ(table(), truth());
}

TEST_F(SyncScheduler, AStopInTheMiddleIsGoneOnFrom) {
    fill(2000);
    clerk.pause = 5ms;
    settings.page_users = 20;
    schedule.interval = 1h;
    Process& one = launch("one");
    wait_for("status = 'running' AND seen >= 200", 1);
    ASSERT_TRUE(run(one.scheduler->stop(10s)));
    EXPECT_EQ(last_run("status, failure, error"),
              "incomplete interrupted interrupted; the next run goes on from there");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.leases WHERE until > now()"), "0");
    clerk.pause = 1us;
    launch("two");  // at once, whatever the interval
    wait_for("status = 'completed' AND mode = 'full' AND continues IS NOT NULL", 1);
    EXPECT_EQ(last_run("trigger, instance"), "start two");
    EXPECT_EQ(table(), truth());
}

TEST_F(SyncScheduler, AStopIsNotGoneOnFromByWhoHasTheDutyAlready) {
    fill(300);
    schedule.interval = 1h;
    Process& one = launch("one");
    wait_for("status = 'completed'", 1);
    ASSERT_TRUE(test::wait_until(io, [&] { return !one.reconciler->running(); }));
    start();
    clerk.on_list = [this](const auto&, auto&) -> std::optional<Error> {
        reconciler->interrupt();
        return std::nullopt;
    };
    EXPECT_EQ(full().failure, RunFailure::interrupted);
    clerk.on_list = nullptr;
    EXPECT_FALSE(test::wait_until(io, [&] { return count("true") > 2; }, 300ms));
}

TEST_F(SyncScheduler, WhileAnotherRunsItWaits) {
    fill(500);
    clerk.pause = 5ms;
    settings.page_users = 20;
    start();
    auto by_hand = std::make_shared<std::optional<RunSummary>>();
    spawn(io.get_executor(), "by_hand",
          [](Reconciler& reconciler, std::shared_ptr<std::optional<RunSummary>> out) -> Task<> {
              const auto summary =
                  co_await reconciler.run({.mode = RunMode::full, .trigger = RunTrigger::cli});
              if (summary) *out = *summary;
          }(*reconciler, by_hand));
    wait_for("trigger = 'cli' AND status = 'running'", 1);
    launch("one");
    ASSERT_TRUE(test::wait_until(io, [&] { return by_hand->has_value(); }));
    EXPECT_EQ((*by_hand)->status, RunStatus::completed);
    EXPECT_EQ(count("mode = 'full'"), 1);
    wait_for("trigger = 'schedule' AND status = 'completed'", 1);
}

TEST_F(SyncScheduler, AClockThatJumpsEitherWayStopsNothing) {
    fill(60);
    launch("one");
    for (const int seconds : {-3600, 7200}) {
        wait_for("status = 'completed'", 2);
        clock_jumps(seconds);
        const std::string last = sql("SELECT max(id) FROM rollcall.sync_runs");
        wait_for(fmt::format("status = 'completed' AND id > {}", last), 3);
        // Nobody knows how long ago the last one was; or it is longer ago than the interval.
        EXPECT_EQ(count(fmt::format("mode = 'full' AND id > {}", last)), 1) << seconds;
    }
    EXPECT_EQ(count("status <> 'completed' AND status <> 'running'"), 0);
}

}  // namespace
}  // namespace rollcall::sync
