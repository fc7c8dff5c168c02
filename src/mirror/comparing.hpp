// Begins a comparison of the mirror when one is due: the first, after each complete pass over
// Clerk's users, and at an interval. What the database remembers decides, so that whichever
// instance looks first does it. Not while Supabase Auth is not asked; after one that came to no
// end, later and later. One event loop.
#pragma once

#include "base/backoff.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "jobs/work_loop.hpp"
#include "mirror/compare.hpp"
#include "supabase/auth_api.hpp"

#include <chrono>
#include <functional>

namespace rollcall::mirror {

struct ComparingConfig {
    std::chrono::milliseconds interval{std::chrono::hours(24)};
    bool at_start = false;  // one is due at the start of this process, whatever is known
    std::chrono::milliseconds look_every{std::chrono::seconds(5)};
    Backoff after_failure{std::chrono::seconds(10), std::chrono::minutes(5)};
};

class Comparing {
public:
    // References must outlive this. `compared` is told after each; must not block.
    Comparing(Executor executor, Compare& compare, supabase::AuthApi& auth, ComparingConfig config,
              std::function<void()> compared);
    Comparing(const Comparing&) = delete;
    Comparing& operator=(const Comparing&) = delete;

    void start();
    // Where only a scheduler calls: one now, if it is due, and no longer than that.
    Task<> run_due(Duration limit);
    // The one under way is cut short, and none begins.
    void interrupt();
    // False when it has not ended within `limit`.
    Task<bool> stop(Duration limit);

private:
    Task<int> pass(Duration limit);

    Compare& compare_;
    supabase::AuthApi& auth_;
    ComparingConfig config_;
    std::function<void()> compared_;
    bool due_at_start_;
    bool stopping_ = false;
    int failures_ = 0;
    SteadyTime not_before_{};
    Random random_;
    jobs::WorkLoop loop_;
};

}  // namespace rollcall::mirror
