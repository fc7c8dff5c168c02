// What a run must never do, whatever Clerk answers; one run at a time; held deletions.
#include "reconciler_fixture.hpp"
#include "sync/key_check.hpp"

namespace rollcall::sync {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

using SyncReconciler = ReconcilerTest;

// fault 25
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

// fault 27
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

// fault 45
TEST_F(SyncReconciler, AKeyOfAnotherInstanceStandsAgainstAStart) {
    const auto may_start = [&](Duration limit = 1h) {
        return run(sync::may_start(pool, clerk, limit));
    };
    clerk.instance_id = "ins_other";
    EXPECT_TRUE(may_start());
    EXPECT_EQ(clerk.asked_instance, 0) << "the database is filled from nobody yet";
    clerk.instance_id = "ins_one";
    prepare();
    EXPECT_TRUE(may_start());
    clerk.instance_id = "ins_other";
    const auto other = may_start();
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::bad_configuration);
    EXPECT_THAT(other.error().message, AllOf(HasSubstr("ins_one"), HasSubstr("ins_other")));
    // One that does not say keeps nobody from taking webhooks.
    clerk.pause = 1h;
    EXPECT_TRUE(may_start(1ms));
}

TEST_F(SyncReconciler, AKeyThatKnowsNobodyOfAFilledDatabaseIsRefused) {
    tell({.clerk_id = "user_webhook", .version = 5});
    before_ = table();
    clerk.add("user_of_staging", 1'600'000'000'000);
    expect_harmless(full(), RunStatus::failed, RunFailure::other_instance);
    EXPECT_EQ(run_state().instance_id, "");
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

// A creation that waits while a complete pass runs, of a user who was gone before it and whose
// deletion never came: Clerk is asked, and not only a day later by the next complete pass.
TEST_F(SyncReconciler, WhoWasGoneBeforeThePassIsNotMadeByAnEventAfterIt) {
    fill(20);
    clerk.add("user_of_tomorrow", 33'000'000'000'000);  // by a clock that nobody believes
    start();
    const auto refreshed = [&] {
        return sql(
            "SELECT coalesce(string_agg(subject, ',' ORDER BY subject), '') FROM job_queue "
            "WHERE job_type = 'REFRESH_USER'");
    };
    const auto signs_up = [&](const std::string& id, const std::string& arrived,
                              const std::string& updated) {
        sql(
            fmt::format("UPDATE job_queue SET created_at = {0}, run_at = {0}, "
                        "version = extract(epoch FROM {1}) * 1000 WHERE id = '{2}'",
                        arrived, updated,
                        enqueue({.clerk_id = id, .version = 1, .email = id + "@example.com"})));
    };
    signs_up("user_00001", "now()", "now() - interval '1 hour'");
    drain();
    EXPECT_EQ(refreshed(), "");  // nobody has listed the users yet
    sql("UPDATE rollcall.sync_state SET listed_at = 'infinity'");  // the clock was set back since
    ASSERT_EQ(full().status, RunStatus::completed);
    const std::string pass = "(SELECT max(started_at) FROM rollcall.sync_runs)";
    signs_up("user_waiting", pass + " - interval '1 second'", "now() + interval '6 minutes'");
    signs_up("user_delivered_late", "now() + interval '6 minutes'",
             pass + " - interval '1 second'");
    signs_up("user_00002", "now()", pass + " - interval '1 second'");  // known
    // Signed up, or was imported with the date of long ago.
    signs_up("user_new", "now() + interval '6 minutes'", "now() + interval '6 minutes'");
    sql("UPDATE job_queue SET clerk_created_at = '2001-01-01' WHERE subject = 'user_new'");
    sql("UPDATE job_queue SET run_at = now() WHERE run_at > now()");
    drain();
    EXPECT_EQ(refreshed(), "user_delivered_late,user_waiting");
}

// Nor by one that was being applied when the pass began: it is waited for.
TEST_F(SyncReconciler, WhatIsBeingAppliedWhenAPassBeginsIsSeenByIt) {
    fill(20);
    start();
    pg::Transaction application = run(pool.begin());
    run(application.execute({"",
                             "INSERT INTO users (clerk_id, email, \"updatedAt\") "
                             "VALUES ('user_other', 'a@b.c', now())"}));
    enqueue({.clerk_id = "user_gone", .version = 1'600'000'000'500, .email = "a@b.c"});
    bool applied = false;
    spawn(io.get_executor(), "event", [](Task<> event, bool& done) -> Task<> {
        co_await std::move(event);
        done = true;
    }(apply_due(), applied));
    while (sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == "0") {
        run(sleep(std::chrono::milliseconds(10)));
    }
    bool ended = false;
    spawn(io.get_executor(), "application", [](pg::Transaction tx, const bool& over) -> Task<> {
        // As long as a pass would take that did not wait.
        for (int i = 0; i < 100 && !over; ++i) co_await sleep(std::chrono::milliseconds(10));
        const pg::Transaction rolled_back = std::move(tx);
    }(std::move(application), ended));
    const RunSummary pass = full();
    ended = true;
    EXPECT_EQ(pass.status, RunStatus::completed) << pass.error.value_or("");
    while (!applied) run(sleep(std::chrono::milliseconds(10)));
    EXPECT_EQ(pass.deleted, 1);
    EXPECT_EQ(table(), truth());
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

// What the database refuses in the middle of a run is why it did not complete, and counts as a
// failure; where it refuses the record itself, nobody waits for a lease to lapse.
TEST_F(SyncReconciler, ARunThatTheDatabaseBreaksIsOnRecordAndHoldsUpNoOther) {
    prepare(20);
    const auto refuse = [this](const std::string& check) {
        sql("ALTER TABLE rollcall.sync_runs ADD CONSTRAINT refuses CHECK (" + check +
            ") NOT VALID");
    };
    const auto take = [this] { sql("ALTER TABLE rollcall.sync_runs DROP CONSTRAINT refuses"); };
    refuse("status <> 'running' OR newest_updated_ms IS NULL");
    const RunSummary broken = full();
    EXPECT_EQ(broken.failure, RunFailure::refused_rows);
    EXPECT_THAT(broken.error.value_or(""), HasSubstr("SQLSTATE 23514, constraint refuses"));
    EXPECT_EQ(run_state().failures_in_a_row, 1);
    take();

    refuse("false");
    EXPECT_THROW(run(reconciler->run({.mode = RunMode::full})), pg::SqlError);
    take();
    start();  // another process'
    EXPECT_EQ(full().status, RunStatus::completed);
    EXPECT_EQ(table(), before_);
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

    // One of them, or all that are left.
    const auto one = run(reconciler->approve_deletes(again.run, {}, "user_00000"));
    ASSERT_TRUE(one.has_value()) << one.error().message;
    EXPECT_EQ(one->deleted, 1);
    EXPECT_EQ(run(reconciler->discard_deletes(again.run, {}, "user_00006")), 1);
    EXPECT_EQ(run(reconciler->discard_deletes(again.run, {}, "user_00006")).error().code,
              ErrorCode::not_found);
    EXPECT_EQ(run(held_deletes(pool, std::nullopt, 100)).size(), 18U);
    EXPECT_EQ(run(held_deletes(pool, "user_00009", 100)).front().run, again.run);
    clerk.add("user_00006", 1'600'000'006'000);  // was right to be kept
    clerk.add("user_00003", 1'600'000'003'000);  // came back
    const auto decided = run(reconciler->approve_deletes(again.run));
    ASSERT_TRUE(decided.has_value()) << decided.error().message;
    EXPECT_EQ(decided->deleted, 17);
    EXPECT_EQ(decided->returned, 1);
    EXPECT_EQ(decided->left, 0);
    full();
    EXPECT_EQ(table(), truth());
    EXPECT_EQ(run_state().held_deletes, 0);
    EXPECT_EQ(sql(fmt::format("SELECT count(DISTINCT target) || ' ' || min(actor) FROM "
                              "rollcall.audit_log WHERE action = 'deletes.approve' "
                              "AND detail ->> 'run' = '{}'",
                              again.run)),
              "18 system");
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
    EXPECT_EQ(run(reconciler->discard_deletes(held.run, {.kind = Actor::Kind::cli, .name = "ann"}))
                  .value_or(0),
              20);
    EXPECT_EQ(sql(fmt::format("SELECT count(*) || ' ' || min(actor_name) FROM rollcall.audit_log "
                              "WHERE action = 'deletes.discard' AND detail ->> 'run' = '{}'",
                              held.run)),
              "20 ann");
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
