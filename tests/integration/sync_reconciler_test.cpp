// What a run must never do, whatever Clerk answers; going on after a stop; one run at a time; held
// deletions.
#include "reconciler_fixture.hpp"

namespace rollcall::sync {
namespace {

using testing::HasSubstr;

using SyncReconciler = ReconcilerTest;

TEST_F(SyncReconciler, AnEmptyListDeletesNobody) {
    prepare();
    clerk.on_list = [](const auto&, auto& page) {
        page.clear();
        return std::nullopt;
    };
    expect_harmless(full(), RunStatus::incomplete, RunFailure::inconsistent);
}

// The question for the newest user sets the bounds of what is counted.
TEST_F(SyncReconciler, AnEmptyAnswerAboutTheNewestUserDeletesNobody) {
    prepare();
    clerk.on_list = [](const auto& query, auto& page) -> std::optional<Error> {
        if (query.limit == 1) page.clear();
        return std::nullopt;
    };
    expect_harmless(full(), RunStatus::incomplete, RunFailure::inconsistent);
}

TEST_F(SyncReconciler, AnEmptyListAndACountOfNoneDeleteNobody) {
    prepare();
    clerk.users.clear();
    expect_harmless(full(), RunStatus::incomplete, RunFailure::inconsistent);
}

TEST_F(SyncReconciler, AShortListDeletesNobody) {
    prepare();
    clerk.on_list = [](const auto& query, auto& page) -> std::optional<Error> {
        if (query.limit > 1) page.resize(page.size() / 2);
        return std::nullopt;
    };
    expect_harmless(full(), RunStatus::incomplete, RunFailure::inconsistent);
}

TEST_F(SyncReconciler, UsersLeftOutOfOnePageAreNotDeleted) {
    prepare();
    int page_number = 0;
    clerk.on_list = [&](const auto& query, auto& page) -> std::optional<Error> {
        if (query.limit > 1 && ++page_number == 2) page.erase(page.begin() + 3, page.begin() + 6);
        return std::nullopt;
    };
    expect_harmless(full(), RunStatus::incomplete, RunFailure::inconsistent);
}

// The count agrees with the list by chance: each absence is looked up all the same.
TEST_F(SyncReconciler, ACountThatFitsAShortListDeletesNobody) {
    prepare();
    clerk.on_list = [](const auto& query, auto& page) -> std::optional<Error> {
        if (query.filter.ids.empty()) {
            std::erase_if(page, [](const auto& user) { return user.id == "user_00042"; });
        }
        return std::nullopt;
    };
    clerk.on_count = [](std::int64_t users) -> Result<std::int64_t> { return users - 1; };
    const RunSummary run = full();
    EXPECT_EQ(run.deleted, 0);
    EXPECT_EQ(table(), before_);
}

TEST_F(SyncReconciler, AWrongCountDeletesNobody) {
    prepare();
    clerk.users.erase("user_00007");
    clerk.on_count = [](std::int64_t users) -> Result<std::int64_t> { return users * 2; };
    expect_harmless(full(), RunStatus::incomplete, RunFailure::inconsistent);
}

TEST_F(SyncReconciler, AListOutOfOrderDeletesNobody) {
    prepare();
    clerk.on_list = [](const auto& query, auto& page) -> std::optional<Error> {
        if (query.limit > 1) std::ranges::reverse(page);
        return std::nullopt;
    };
    expect_harmless(full(), RunStatus::incomplete, RunFailure::inconsistent);
}

TEST_F(SyncReconciler, UsersListedTwiceAreCountedOnce) {
    prepare();
    clerk.on_list = [](const auto& query, auto& page) -> std::optional<Error> {
        if (query.limit > 1 && page.size() > 2 && page.size() < query.limit) {
            page.insert(page.begin() + 1, page[1]);
        }
        return std::nullopt;
    };
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(run.seen, 200);
    EXPECT_EQ(table(), before_);
}

TEST_F(SyncReconciler, FaultsOfClerkDeleteNobody) {
    const std::vector<std::pair<ErrorCode, RunFailure>> faults{
        {ErrorCode::unavailable, RunFailure::clerk_away},
        {ErrorCode::rate_limited, RunFailure::clerk_away},
        {ErrorCode::unauthenticated, RunFailure::wrong_key},
    };
    prepare();
    for (const auto& [code, failure] : faults) {
        sql("DELETE FROM rollcall.sync_runs WHERE status <> 'completed'");
        int page_number = 0;
        clerk.on_list = [&](const auto& query, auto&) -> std::optional<Error> {
            if (query.limit == 1 || ++page_number < 3) return std::nullopt;
            return Error{code, "Clerk says no"};
        };
        const RunSummary run = sync({.mode = RunMode::full, .start_anew = true});
        expect_harmless(run, RunStatus::failed, failure);
        EXPECT_EQ(run.error, "Clerk says no");
    }
}

TEST_F(SyncReconciler, AnAbsenceThatCannotBeLookedUpIsNoDeletion) {
    prepare();
    clerk.users.erase("user_00042");
    clerk.on_get = [](const std::string&) { return Error{ErrorCode::unavailable, "503"}; };
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::failed);
    EXPECT_EQ(run.deleted, 0);
    EXPECT_EQ(table(), before_);
    clerk.on_get = nullptr;
    EXPECT_EQ(full().deleted, 1);
    EXPECT_EQ(table(), truth());
}

TEST_F(SyncReconciler, AKeyOfAnotherInstanceIsRefused) {
    prepare();
    clerk.instance_id = "ins_other";
    clerk.users.clear();
    clerk.add("user_of_staging", 1'600'000'000'000);
    for (const auto mode : {RunMode::incremental, RunMode::full}) {
        sql("DELETE FROM rollcall.sync_runs WHERE status <> 'completed'");
        expect_harmless(sync({.mode = mode}), RunStatus::failed, RunFailure::other_instance);
    }
    EXPECT_EQ(run_state().instance_id, "ins_one");
}

TEST_F(SyncReconciler, AKeyThatKnowsNobodyOfAFilledDatabaseIsRefused) {
    tell({.clerk_id = "user_webhook", .version = 5});
    before_ = table();
    clerk.add("user_of_staging", 1'600'000'000'000);
    expect_harmless(full(), RunStatus::failed, RunFailure::other_instance);
    EXPECT_EQ(run_state().instance_id, "");
}

TEST_F(SyncReconciler, GoesOnWhereItWasInterrupted) {
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

TEST_F(SyncReconciler, AnInterruptionWaitsForNoAnswer) {
    prepare();
    int pages = 0;
    clerk.before_list = [&](const clerk::UserQuery&) {
        clerk.pause = std::chrono::hours(1);  // of the answers after this one
        if (++pages > 1) return;
        spawn(io.get_executor(), "interrupt", [](Reconciler& one) -> Task<> {
            co_await sleep(std::chrono::milliseconds(20));
            one.interrupt();
        }(*reconciler));
    };
    EXPECT_EQ(full().failure, RunFailure::interrupted);
    EXPECT_EQ(table(), before_);
}

// Of those that the first had seen, too.
TEST_F(SyncReconciler, WhoWentBetweenTheTwoIsMissed) {
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

// A process that was killed leaves its row `running`, its ranges, and a lease that lapses.
TEST_F(SyncReconciler, GoesOnWhereAnotherWasKilled) {
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
TEST_F(SyncReconciler, ALateEndForgetsNothingOfALaterRun) {
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
        run(late.status == RunStatus::completed ? runs.completed(late, 1) : runs.finish(late));
        for (const char* table : {"sync_ranges", "sync_absences"}) {
            EXPECT_EQ(
                sql(fmt::format("SELECT string_agg(run_id::text, ' ') FROM rollcall.{}", table)),
                std::to_string(later.run));
        }
        run(runs.finish(later));
    }
}

TEST_F(SyncReconciler, OneRunAtATime) {
    fill(100);
    ReconcilerConfig other = settings;
    other.instance = "another process";
    Reconciler second(pool, *directory, clerk, *refresh, other);
    std::vector<std::string> refused;
    bool asked = false;
    clerk.before_list = [&](const clerk::UserQuery&) {
        if (std::exchange(asked, true)) return;
        for (Reconciler* one : {reconciler.get(), &second}) {
            spawn(io.get_executor(), "second run", try_run(*one, refused));
        }
    };
    EXPECT_EQ(full().status, RunStatus::completed);
    EXPECT_EQ(refused.size(), 2U);
    EXPECT_TRUE(run(second.run({.mode = RunMode::full})).has_value());
}

TEST_F(SyncReconciler, TooManyDeletionsAreHeldUntilAPersonDecides) {
    prepare();
    for (int i = 0; i < 20; ++i) clerk.users.erase(fmt::format("user_{:05}", i * 3));
    const RunSummary run_summary = full();
    EXPECT_EQ(run_summary.status, RunStatus::completed) << run_summary.error.value_or("");
    EXPECT_EQ(run_summary.held_deletes, 20);
    EXPECT_EQ(run_summary.deleted, 0);
    EXPECT_EQ(table(), before_);
    EXPECT_EQ(run_state().held_deletes, 20);
    EXPECT_EQ(run_state().held_run, run_summary.run);

    // The next pass judges anew; what was held before is no longer to be decided.
    const RunSummary again = full();
    EXPECT_EQ(again.held_deletes, 20);
    EXPECT_EQ(run_state().held_deletes, 20);
    EXPECT_FALSE(run(reconciler->approve_deletes(run_summary.run)).has_value());

    clerk.add("user_00003", 1'600'000'003'000);  // came back
    const auto decided = run(reconciler->approve_deletes(again.run));
    ASSERT_TRUE(decided.has_value()) << decided.error().message;
    EXPECT_EQ(decided->deleted, 19);
    EXPECT_EQ(decided->returned, 1);
    EXPECT_EQ(decided->left, 0);
    EXPECT_EQ(table(), truth());
    EXPECT_EQ(run_state().held_deletes, 0);
    EXPECT_EQ(run(reconciler->approve_deletes(again.run)).error().code, ErrorCode::not_found);
}

// However long it takes to ask for each: here, several times as long as the lease lasts.
TEST_F(SyncReconciler, WhileDeletionsAreApprovedNoRunBegins) {
    prepare();
    for (int i = 0; i < 20; ++i) clerk.users.erase(fmt::format("user_{:05}", i));
    const std::int64_t held = full().run;
    settings.lease = std::chrono::milliseconds(150);
    start();
    ReconcilerConfig other = settings;
    other.instance = "another process";
    Reconciler second(pool, *directory, clerk, *refresh, other);
    std::vector<std::string> refused;
    int asked = 0;
    clerk.pause = std::chrono::milliseconds(25);
    clerk.on_get = [&](const std::string&) -> std::optional<Error> {
        ++asked;
        spawn(io.get_executor(), "second run", try_run(second, refused));
        return std::nullopt;
    };
    const auto decided = run(reconciler->approve_deletes(held));
    ASSERT_TRUE(decided.has_value()) << decided.error().message;
    EXPECT_EQ(decided->deleted, 20);
    EXPECT_EQ(asked, 20);
    EXPECT_EQ(std::ssize(refused), asked);
    EXPECT_EQ(table(), truth());
}

TEST_F(SyncReconciler, OneQuestionShowsWhoseKeyItIs) {
    fill(40);
    full();
    EXPECT_EQ(clerk.asked_instance, 1);
    // Somebody takes the address of a user who is gone: that asks for the one who is gone.
    clerk.users.erase("user_00001");
    clerk.users["user_00002"].email = "user_00001@example.com";
    clerk.users["user_00002"].updated_at_ms = ++clerk.clock_ms;
    refresh = std::make_unique<Refresh>(pool, *directory, clerk);
    start();
    clerk.asked.clear();
    EXPECT_EQ(full().status, RunStatus::completed);
    EXPECT_GT(clerk.asked["user_00001"], 0);
    EXPECT_EQ(table(), truth());
    EXPECT_EQ(clerk.asked_instance, 2);
}

TEST_F(SyncReconciler, HeldDeletionsCanBeDiscarded) {
    prepare();
    const auto users = clerk.users;
    for (int i = 0; i < 20; ++i) clerk.users.erase(fmt::format("user_{:05}", i));
    const RunSummary held = full();
    EXPECT_EQ(run(reconciler->discard_deletes(held.run)).value_or(0), 20);
    EXPECT_EQ(run(reconciler->discard_deletes(held.run)).error().code, ErrorCode::not_found);
    EXPECT_EQ(table(), before_);
    clerk.users = users;
    EXPECT_EQ(full().held_deletes, 0);
}

TEST_F(SyncReconciler, EventsAndAPassRaceOnTheSameUsers) {
    prepare();
    Random random(7);
    clerk.before_list = [&](const clerk::UserQuery&) {
        const auto user =
            std::next(clerk.users.begin(), random.between(0, std::ssize(clerk.users) - 1));
        clerk.rename(user->first, "By event");
        enqueue({.clerk_id = user->first,
                 .version = user->second.updated_at_ms,
                 .email = user->second.email,
                 .name = user->second.name});
        spawn(io.get_executor(), "event", apply_due());
    };
    EXPECT_EQ(full().status, RunStatus::completed);
    clerk.before_list = nullptr;
    drain();
    EXPECT_EQ(table(), truth());
}

TEST_F(SyncReconciler, HistoryHasEveryAttempt) {
    fill(5);
    full();
    clerk.on_list = [](const auto&, auto&) { return Error{ErrorCode::unavailable, "away"}; };
    incremental();
    const auto history = run(reconciler->runs().history(10));
    ASSERT_EQ(history.size(), 2U);
    EXPECT_EQ(history[0].summary.status, RunStatus::failed);
    EXPECT_EQ(history[0].summary.error, "away");
    EXPECT_EQ(history[1].summary.created, 5);
    EXPECT_THAT(to_json(history[1]), HasSubstr(R"("status":"completed","seen":5,"created":5)"));
    EXPECT_THAT(to_json(history[1]), HasSubstr(R"("trigger":"cli")"));
    EXPECT_EQ(run(reconciler->runs().find(history[0].summary.run))->summary.error, "away");
}

}  // namespace
}  // namespace rollcall::sync
