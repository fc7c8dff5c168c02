// For tests of passes over a Clerk that answers what it should not: a table to begin with, and what
// a pass that did not complete must have left as it was.
#pragma once

#include "polling_fixture.hpp"

namespace rollcall::sync {

class ReconcilerTest : public PollingTest {
protected:
    // A filled table, and nothing of Clerk's lists to be believed from now on.
    void prepare(int count = 200) {
        fill(count);
        ASSERT_EQ(full().status, RunStatus::completed);
        before_ = table();
    }
    // A run that did not complete deleted nobody and moved no watermark.
    void expect_harmless(const RunSummary& run, RunStatus status, RunFailure failure) {
        EXPECT_EQ(run.status, status) << run.error.value_or("");
        EXPECT_EQ(run.failure, failure) << run.error.value_or("");
        EXPECT_EQ(run.deleted + run.held_deletes, 0);
        EXPECT_EQ(table(), before_);
        EXPECT_EQ(last_run("status, error IS NOT NULL"),
                  fmt::format("{} t", to_string(run.status)));
        EXPECT_EQ(sql("SELECT count(*) FROM rollcall.sync_absences"), "0");
        const SyncState state = run_state();
        EXPECT_EQ(state.failures_in_a_row, 1);
    }
    SyncState run_state() { return run(reconciler->runs().state()); }

    static Task<> try_run(Reconciler& one, std::vector<std::string>& refused) {
        const auto answer = co_await one.run({.mode = RunMode::full});
        if (!answer) refused.push_back(answer.error().message);
    }
    Task<> apply_due() { co_await directory->apply_due(pool, {.priority = 1}); }

    std::string before_;
};

}  // namespace rollcall::sync
