// One user on demand: read and applied, deleted with care, or compared only.
#include "polling_fixture.hpp"
#include "sync/user_comparison.hpp"
#include "sync/user_refresh.hpp"

namespace rollcall::sync {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

class SyncUserRefresh : public PollingTest {
protected:
    RunSummary look(const std::string& clerk_id) {
        const auto summary = run(users.run(clerk_id, RunTrigger::admin));
        if (!summary) throw std::runtime_error(summary.error().message);
        return *summary;
    }
    Task<> keep(std::vector<RunSummary>& summaries, std::string clerk_id = "user_a") {
        const auto summary = co_await users.run(std::move(clerk_id), RunTrigger::gate);
        if (summary) summaries.push_back(*summary);
    }
    SyncState runs_state() { return run(runs.state()); }
    RunLedger runs{pool, "test"};
    int times_held = 0;
    UserRefresh users{runs, [this] {
                          auto lookup = lookups()();
                          lookup->refresh().observe({}, [this] { ++times_held; });
                          return lookup;
                      }};
};

TEST_F(SyncUserRefresh, OneUserIsReadAndApplied) {
    clerk.add("user_a", 1'600'000'000'000);
    RunSummary summary = look("user_a");
    EXPECT_EQ(summary.status, RunStatus::completed) << summary.error.value_or("");
    EXPECT_EQ(summary.created, 1);
    EXPECT_EQ(table(), truth());
    clerk.rename("user_a", "Anne");
    EXPECT_EQ(look("user_a").updated, 1);
    EXPECT_EQ(look("user_a").unchanged, 1);
    EXPECT_EQ(last_run("mode, trigger, clerk_id, status"), "user admin user_a completed");
}

TEST_F(SyncUserRefresh, CallsForOneUserShareOneQuestion) {
    clerk.add("user_a", 1'600'000'000'000);
    std::vector<RunSummary> summaries;
    for (int i = 0; i < 5; ++i) {
        spawn(io.get_executor(), "refresh", keep(summaries));
    }
    EXPECT_TRUE(test::wait_until(io, [&] { return summaries.size() == 5; }));
    EXPECT_EQ(clerk.asked["user_a"], 1);
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.sync_runs"), "1");
}

TEST_F(SyncUserRefresh, AUserWhomClerkDoesNotKnowIsLookedUpAgain) {
    clerk.add("user_a", 1'600'000'000'000);
    clerk.add("user_b", 1'600'000'000'000);
    look("user_a");
    look("user_b");
    clerk.users.erase("user_a");
    clerk.asked.clear();
    const RunSummary summary = look("user_a");
    EXPECT_EQ(summary.deleted, 1) << summary.error.value_or("");
    EXPECT_GE(clerk.asked["user_a"], 2);
    EXPECT_EQ(table(), truth());
}

TEST_F(SyncUserRefresh, ClerkAwayIsAFailedRun) {
    clerk.on_get = [](const std::string&) { return Error{ErrorCode::unavailable, "503"}; };
    const RunSummary summary = look("user_a");
    EXPECT_EQ(summary.status, RunStatus::failed);
    EXPECT_EQ(summary.failure, RunFailure::clerk_away);
    EXPECT_FALSE(run(users.run("", RunTrigger::admin)).has_value());
}

TEST_F(SyncUserRefresh, ARefusalSaysWhoseItIsAndShowsNoData) {
    struct Case {
        const char* damage;
        const char* mend;
        const char* reason;
    };
    const char* const trigger =
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; END $$; "
        "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION refuse()";
    const std::string raises = fmt::format(fmt::runtime(trigger), "RAISE EXCEPTION '%', new.email");
    const std::string lacks = fmt::format(fmt::runtime(trigger), "PERFORM no_such_function()");
    const char* const no_trigger = "DROP TRIGGER t ON users; DROP FUNCTION refuse()";
    const Case cases[]{
        {"ALTER TABLE users ADD CONSTRAINT short CHECK (length(name) < 3)",
         "ALTER TABLE users DROP CONSTRAINT short", "(23514)"},
        {raises.c_str(), no_trigger, "(P0001)"},
        {lacks.c_str(), no_trigger, "(42883)"},
        {"ALTER TABLE users ALTER name TYPE varchar(3)", "ALTER TABLE users ALTER name TYPE text",
         "(22001)"},
    };
    clerk.add("user_a", 1'600'000'000'000);
    for (const Case& one : cases) {
        SCOPED_TRACE(one.reason);
        sql(one.damage);
        const RunSummary summary = look("user_a");
        EXPECT_EQ(summary.status, RunStatus::failed);
        EXPECT_EQ(summary.failure, RunFailure::refused_rows);
        EXPECT_THAT(summary.error.value_or(""), HasSubstr("The database refuses this change: "));
        EXPECT_THAT(summary.error.value_or(""), HasSubstr(one.reason));
        EXPECT_THAT(summary.error.value_or(""), Not(HasSubstr("example.com")));
        EXPECT_THAT(summary.error.value_or(""), Not(HasSubstr("Ann")));
        EXPECT_EQ(last_run("status, failure, error"), "failed refused_rows " + *summary.error);
        EXPECT_EQ(sql("SELECT count(*) FROM users"), "0");
        sql(one.mend);
    }
    EXPECT_EQ(look("user_a").status, RunStatus::completed);
}

TEST_F(SyncUserRefresh, AKeyThatIsRefusedOrOfAnotherInstanceIsNotClerkAway) {
    clerk.add("user_a", 1'600'000'000'000);
    full();
    clerk.on_get = [](const std::string&) { return Error{ErrorCode::unauthenticated, "401"}; };
    EXPECT_EQ(look("user_a").failure, RunFailure::wrong_key);
    clerk.on_get = nullptr;
    clerk.users.clear();
    clerk.instance_id = "ins_two";
    const RunSummary summary = look("user_a");
    EXPECT_EQ(summary.failure, RunFailure::other_instance);
    EXPECT_THAT(summary.error.value_or(""), HasSubstr("another instance"));
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE deleted_at IS NULL"), "1");
}

TEST_F(SyncUserRefresh, AnAddressThatClerkIsAskedAboutInVainIsClerkAway) {
    clerk.add("user_a", 1'600'000'000'000).email = "one@example.com";
    look("user_a");
    clerk.users["user_a"].email = "other@example.com";  // nothing tells of it
    clerk.add("user_b", 1'600'000'000'000).email = "one@example.com";
    clerk.on_get = [](const std::string& id) {
        return id == "user_a" ? std::optional(Error{ErrorCode::unavailable, "503"}) : std::nullopt;
    };
    const RunSummary summary = look("user_b");
    EXPECT_EQ(summary.failure, RunFailure::clerk_away) << summary.error.value_or("");
    EXPECT_THAT(summary.error.value_or(""), Not(HasSubstr("example.com")));
    clerk.on_get = nullptr;
    EXPECT_EQ(look("user_b").status, RunStatus::completed);
}

TEST_F(SyncUserRefresh, OneMoreThanFitIsRefusedAtOnce) {
    UserRefresh few{runs, lookups(), {.users_max = 1}};
    clerk.add("user_a", 1'600'000'000'000);
    clerk.pause = 20ms;
    bool done = false;
    const auto first = [&]() -> Task<> {
        EXPECT_TRUE(co_await few.run("user_a", RunTrigger::gate));
        done = true;
    };
    spawn(io.get_executor(), "first", first());
    ASSERT_TRUE(test::wait_until(io, [&] { return clerk.requests() > 0; }));
    const auto refused = run(few.run("user_b", RunTrigger::admin));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::rate_limited);
    EXPECT_THAT(refused.error().message, HasSubstr("too many users are being refreshed"));
    EXPECT_TRUE(test::wait_until(io, [&] { return done; }));
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.sync_runs"), "1");
}

// Clerk has them no more; the guard lets one go within the hour.
TEST_F(SyncUserRefresh, ADeletionBeyondTheGuardIsHeldAsOneOfAPass) {
    settings.guard = {.users = 1, .ratio = 0};
    for (const char* id : {"user_a", "user_b", "user_c"}) {
        clerk.add(id, 1'600'000'000'000);
        look(id);
    }
    sql("INSERT INTO rollcall.absences (clerk_id, first_seen_at) VALUES "
        "('user_a', now() - interval '5 s'), ('user_b', now() - interval '5 s')");
    clerk.users.erase("user_a");
    clerk.users.erase("user_b");
    EXPECT_EQ(look("user_a").deleted, 1);
    EXPECT_EQ(runs_state().held_by_id, 0);
    const RunSummary summary = look("user_b");
    EXPECT_EQ(summary.status, RunStatus::completed);
    EXPECT_EQ(summary.held_deletes, 1);
    EXPECT_EQ(summary.deleted, 0);
    EXPECT_EQ(last_run("status, held_deletes"), "completed 1");
    EXPECT_EQ(times_held, 1);
    EXPECT_EQ(runs_state().held_by_id, 1);
    EXPECT_EQ(runs_state().held_run, 0);
    // A complete pass judges all of them, and who is gone is held no more.
    EXPECT_EQ(full().deleted, 1);
    EXPECT_EQ(runs_state().held_by_id, 0);
}

TEST_F(SyncUserRefresh, CountsTheRequestsForThisUserAlone) {
    clerk.add("user_a", 1'600'000'000'000);
    clerk.add("user_b", 1'600'000'000'000);
    full();
    EXPECT_EQ(look("user_a").requests, 1);
    clerk.pause = 5ms;  // both are under way at the same time
    std::vector<RunSummary> summaries;
    spawn(io.get_executor(), "a", keep(summaries, "user_a"));
    spawn(io.get_executor(), "b", keep(summaries, "user_b"));
    ASSERT_TRUE(test::wait_until(io, [&] { return summaries.size() == 2; }));
    EXPECT_EQ(summaries[0].requests + summaries[1].requests, 2);
    // Asked twice at each of two looks, and once whose key this is.
    clerk.pause = 1us;
    clerk.users.erase("user_a");
    EXPECT_EQ(look("user_a").requests, 5);
    EXPECT_EQ(last_run("requests"), "5");
}

class SyncUserComparison : public PollingTest {
protected:
    struct Seen : Progress {
        void advanced(const RunSummary& /*so_far*/,
                      std::optional<std::int64_t> /*expected*/) override {}
        void differs(const Difference& difference) override {
            differences.push_back(to_json(difference));
        }
        std::vector<std::string> differences;
    };
    RunSummary compare(const std::string& clerk_id) {
        seen.differences.clear();
        const auto lookup = lookups()();
        const auto summary = run(compare_user(reconciler->runs(), lookup->parts(), clerk_id, seen));
        if (!summary) throw std::runtime_error(summary.error().message);
        return *summary;
    }
    Seen seen;
};

TEST_F(SyncUserComparison, TellsTheDifferenceAndWritesNothing) {
    clerk.add("user_a", 1'600'000'000'000);
    clerk.add("user_b", 1'600'000'000'000);
    EXPECT_EQ(compare("user_a").found.missing, 1);
    EXPECT_EQ(sql("SELECT count(instance_id) FROM rollcall.sync_state"), "0");
    full();
    EXPECT_TRUE(compare("user_a").found.none());
    EXPECT_THAT(seen.differences, testing::IsEmpty());
    clerk.rename("user_a", "Anne");
    clerk.users.erase("user_b");
    const std::string rows = rows_as_stored();
    const RunSummary stale = compare("user_a");
    EXPECT_EQ(stale.mode, RunMode::user);
    EXPECT_EQ(stale.status, RunStatus::completed);
    EXPECT_EQ(stale.seen, 1);
    EXPECT_EQ(stale.found.stale, 1);
    EXPECT_EQ(stale.requests, 2);  // whose key this is, and the user
    EXPECT_THAT(seen.differences, testing::ElementsAre(HasSubstr("Anne")));
    clerk.asked.clear();
    EXPECT_EQ(compare("user_b").found.extra, 1);
    EXPECT_EQ(clerk.asked["user_b"], 2);
    EXPECT_THAT(seen.differences, testing::ElementsAre(HasSubstr("extra")));
    EXPECT_TRUE(compare("user_nobody").found.none());
    EXPECT_EQ(rows_as_stored(), rows);
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.sync_runs"), "1");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.absences"), "0");
}

TEST_F(SyncUserComparison, AKeyOfAnotherInstanceTellsNothing) {
    clerk.add("user_a", 1'600'000'000'000);
    full();
    clerk.users.clear();
    clerk.instance_id = "ins_two";
    const RunSummary summary = compare("user_a");
    EXPECT_EQ(summary.status, RunStatus::failed);
    EXPECT_EQ(summary.failure, RunFailure::other_instance);
    EXPECT_EQ(summary.found.extra, 0);
}

}  // namespace
}  // namespace rollcall::sync
