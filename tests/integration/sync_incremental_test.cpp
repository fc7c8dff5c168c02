// Incremental passes: what they read, where they begin, and what they leave to a complete one.
#include "reconciler_fixture.hpp"

namespace rollcall::sync {
namespace {

using SyncIncremental = ReconcilerTest;

TEST_F(SyncIncremental, AnIncrementalPassReadsWhatChanged) {
    fill(300);
    EXPECT_EQ(incremental().mode, RunMode::full);  // there is nothing to start from
    settings.overlap = std::chrono::milliseconds(10);
    start();
    clerk.rename("user_00100", "Anne");
    clerk.add("user_new", 1'700'000'000'000);
    const RunSummary run_summary = incremental();
    EXPECT_EQ(run_summary.mode, RunMode::incremental);
    EXPECT_EQ(run_summary.status, RunStatus::completed) << run_summary.error.value_or("");
    EXPECT_EQ(run_summary.updated, 1);
    EXPECT_EQ(run_summary.created, 1);
    EXPECT_EQ(run_summary.pages, 1);
    EXPECT_EQ(table(), truth());
    EXPECT_EQ(run_state().watermark_ms, clerk.clock_ms);
}

TEST_F(SyncIncremental, AnIncrementalPassNeverDeletes) {
    prepare();
    clerk.users.erase("user_00001");
    EXPECT_EQ(incremental().deleted, 0);
    EXPECT_EQ(table(), before_);
}

TEST_F(SyncIncremental, AFailedPassMovesNoWatermark) {
    prepare();
    const auto watermark = run_state().watermark_ms;
    clerk.rename("user_00001", "Anne");
    clerk.on_list = [](const auto&, auto&) { return Error{ErrorCode::unavailable, "no answer"}; };
    EXPECT_EQ(incremental().status, RunStatus::failed);
    EXPECT_EQ(run_state().watermark_ms, watermark);
}

TEST_F(SyncIncremental, AListThatAnIncrementalPassCannotReadWantsACompleteOne) {
    prepare();
    ASSERT_EQ(incremental().status, RunStatus::completed);
    EXPECT_FALSE(run_state().outpaced);
    const std::string newest = " WHERE id = (SELECT max(id) FROM rollcall.sync_runs)";
    sql("UPDATE rollcall.sync_runs SET status = 'incomplete', failure = 'inconsistent'" + newest);
    EXPECT_TRUE(run_state().outpaced);
    sql("UPDATE rollcall.sync_runs SET failure = 'clerk_away'" + newest);
    EXPECT_FALSE(run_state().outpaced);
    sql("UPDATE rollcall.sync_runs SET mode = 'full', failure = 'inconsistent'" + newest);
    EXPECT_FALSE(run_state().outpaced);
}

// Deletions move rows up while pages are read: nobody is skipped.
TEST_F(SyncIncremental, AnIncrementalPassSkipsNobodyWhenRowsMove) {
    prepare(0);
    fill(400);
    ASSERT_EQ(full().status, RunStatus::completed);
    settings.overlap = std::chrono::milliseconds(0);
    start();
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        Random random(seed);
        for (int i = 0; i < 220; ++i) {
            const auto user =
                std::next(clerk.users.begin(), random.between(0, std::ssize(clerk.users) - 1));
            clerk.rename(user->first, fmt::format("Name {} {}", seed, i));
        }
        int deletions = 0;
        clerk.before_list = [&](const clerk::UserQuery&) {
            for (int i = 0; i < 3 && ++deletions < 30; ++i) {
                clerk.users.erase(
                    std::next(clerk.users.begin(), random.between(0, std::ssize(clerk.users) - 1)));
            }
        };
        EXPECT_EQ(incremental().status, RunStatus::completed);
        clerk.before_list = nullptr;
        for (const auto& [id, user] : clerk.users) {
            ASSERT_EQ(sql(fmt::format("SELECT name FROM users WHERE clerk_id = '{}'", id)),
                      *user.name)
                << id;
        }
        for (int i = 0; std::ssize(clerk.users) < 400; ++i) {
            clerk.add(fmt::format("user_{}x{}", seed, i), 1'650'000'000'000 + i);
        }
        incremental();
    }
}

}  // namespace
}  // namespace rollcall::sync
