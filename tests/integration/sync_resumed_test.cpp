// A complete pass goes on where another was stopped, cut short or killed.
#include "reconciler_fixture.hpp"

namespace rollcall::sync {
namespace {

using SyncResumed = ReconcilerTest;

TEST_F(SyncResumed, GoesOnWhereItWasInterrupted) {
    prepare(600);
    int pages = 0;
    clerk.before_list = [&](const clerk::UserQuery& query) {
        if (query.limit > 1 && ++pages == 6) reconciler->interrupt();
    };
    settings.workers = 1;
    start();
    clerk.pause = std::chrono::milliseconds(10);  // longer than the interruption takes
    const RunSummary first = full();
    ASSERT_EQ(first.failure, RunFailure::interrupted);
    EXPECT_EQ(first.status, RunStatus::incomplete);
    EXPECT_LT(first.seen, 600);
    clerk.before_list = nullptr;
    clerk.pause = std::chrono::microseconds(1);
    clerk.users.erase("user_00599");
    clerk.rename("user_00001", "Later");
    clerk.rename("user_00300", "Later");
    const RunSummary second = full();
    EXPECT_EQ(second.status, RunStatus::completed) << second.error.value_or("");
    EXPECT_LT(second.pages, 14);
    EXPECT_EQ(second.seen, 599);
    EXPECT_EQ(last_run("continues"), std::to_string(first.run));
    EXPECT_EQ(table(), truth());
}

// Of those that the first had seen, too.
TEST_F(SyncResumed, WhoWentBetweenTheTwoIsMissed) {
    prepare(600);
    int pages = 0;
    clerk.on_list = [&](const auto& query, auto&) -> std::optional<Error> {
        if (query.limit > 1 && ++pages > 7) return Error{ErrorCode::unavailable, "gone"};
        return std::nullopt;
    };
    const RunSummary first = full();
    ASSERT_EQ(first.status, RunStatus::failed);
    clerk.on_list = nullptr;
    for (const int user : {0, 1, 199, 200, 201, 399, 400, 599}) {
        clerk.users.erase(fmt::format("user_{:05}", user));
    }
    const RunSummary second = full();
    EXPECT_EQ(second.status, RunStatus::completed) << second.error.value_or("");
    EXPECT_EQ(last_run("continues"), std::to_string(first.run));
    EXPECT_EQ(second.deleted, 8);
    EXPECT_EQ(second.seen, 592);
    EXPECT_EQ(table(), truth());
}

// Nor does who came since make up for who has gone, where the first had read to the very end.
TEST_F(SyncResumed, WhoCameBetweenTheTwoHidesNobodyWhoWent) {
    fill(600);
    for (int i = 0; i < 60; ++i) clerk.add(fmt::format("user_early{}", i), 1'590'000'000'000);
    clerk.add("user_late", 1'610'000'000'000);
    settings.workers = 2;
    settings.page_users = 20;
    start();
    bool to_the_end = false;
    clerk.on_list = [&](const auto& query, auto& page) -> std::optional<Error> {
        if (query.limit == 1) return std::nullopt;
        if (!query.filter.created_before_ms) {
            to_the_end = true;
            page.push_back(clerk.add("user_first", 1'700'000'000'000));
        } else if (to_the_end && query.starting_after.empty()) {  // of the others, the second half
            return Error{ErrorCode::unavailable, "gone"};
        }
        return std::nullopt;
    };
    const RunSummary first = full();
    ASSERT_EQ(first.status, RunStatus::failed);
    ASSERT_EQ(sql("SELECT count(*) FROM rollcall.sync_ranges WHERE until_ms IS NULL AND done"),
              "1");
    clerk.on_list = nullptr;
    clerk.users.erase("user_first");
    clerk.add("user_second", 1'700'000'001'000);
    const RunSummary second = full();
    EXPECT_EQ(second.status, RunStatus::completed) << second.error.value_or("");
    EXPECT_EQ(last_run("continues"), std::to_string(first.run));
    EXPECT_EQ(second.deleted, 1);
    EXPECT_EQ(second.seen, 662);
    EXPECT_EQ(table(), truth());
}

// A process that was killed leaves its row `running`, its ranges, and a lease that lapses.
TEST_F(SyncResumed, GoesOnWhereAnotherWasKilled) {
    prepare(600);
    int pages = 0;
    clerk.on_list = [&](const auto& query, auto&) -> std::optional<Error> {
        if (query.limit > 1 && ++pages > 7) return Error{ErrorCode::unavailable, "gone"};
        return std::nullopt;
    };
    const RunSummary killed = full();
    ASSERT_EQ(killed.status, RunStatus::failed);
    sql("UPDATE rollcall.sync_runs SET status = 'running', finished_at = NULL, error = NULL "
        "WHERE id = (SELECT max(id) FROM rollcall.sync_runs)");
    clerk.on_list = nullptr;
    const RunSummary next = full();
    EXPECT_EQ(next.status, RunStatus::completed) << next.error.value_or("");
    EXPECT_EQ(next.seen, 600);
    EXPECT_LT(next.pages, killed.pages + 10);
    EXPECT_EQ(sql(fmt::format("SELECT status || ' ' || (error LIKE 'Ended without a word%') FROM "
                              "rollcall.sync_runs WHERE id = {}",
                              killed.run)),
              "failed true");
    EXPECT_EQ(last_run("continues"), std::to_string(killed.run));
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.sync_ranges"), "0");
}

// It lost its lease, and another process has begun since.
TEST_F(SyncResumed, ALateEndForgetsNothingOfALaterRun) {
    fill(1);
    RunLedger& runs = reconciler->runs();
    for (const char* status : {"incomplete", "completed"}) {
        SCOPED_TRACE(status);
        RunSummary late{.mode = RunMode::full};
        RunSummary later{.mode = RunMode::full};
        for (RunSummary* one : {&late, &later}) {
            one->run = run(runs.begin(RunMode::full, RunTrigger::schedule));
            one->status = RunStatus::running;
            run(runs.save(*one, {{.from_ms = 0}}));
            sql(fmt::format("INSERT INTO rollcall.sync_absences VALUES ({}, 'user_a')", one->run));
        }
        late.status = *parse_run_status(status);
        if (late.status == RunStatus::completed) {
            EXPECT_TRUE(run(runs.completed(late, 1)));
        } else {
            run(runs.finish(late));
        }
        for (const char* table : {"sync_ranges", "sync_absences"}) {
            EXPECT_EQ(
                sql(fmt::format("SELECT string_agg(run_id::text, ' ') FROM rollcall.{}", table)),
                std::to_string(later.run));
        }
        run(runs.finish(later));
    }
}

// fault 21
TEST_F(SyncResumed, ARunThatWasBuriedMeanwhileCompletesNothing) {
    fill(1);
    RunLedger& runs = reconciler->runs();
    RunSummary late{.mode = RunMode::full};
    late.run = run(runs.begin(RunMode::full, RunTrigger::schedule));
    run(runs.bury_killed());
    const std::string all =
        "SELECT concat_ws(' ', watermark_ms, full_completed_at) "
        "FROM rollcall.sync_state";
    const std::string before = sql(all);
    late.status = RunStatus::completed;
    EXPECT_FALSE(run(runs.completed(late, 1'800'000'000'000)));
    EXPECT_EQ(sql(all), before);
    EXPECT_EQ(last_run("status, failure"), "failed killed");
}

// fault 21
TEST_F(SyncResumed, ARunThatEndsTooLateSaysNothingOfWhatALaterOneHolds) {
    prepare();
    sql("INSERT INTO rollcall.sync_runs (id, mode, trigger, status, instance) "
        "OVERRIDING SYSTEM VALUE "
        "VALUES (1000, 'full', 'schedule', 'incomplete', 'another process')");
    sql("INSERT INTO rollcall.held_deletes (run_id, clerk_id) VALUES (1000, 'user_held')");
    ASSERT_EQ(full().status, RunStatus::completed);
    EXPECT_EQ(sql("SELECT decided_at IS NULL FROM rollcall.held_deletes"), "t");
}

}  // namespace
}  // namespace rollcall::sync
