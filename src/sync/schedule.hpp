// When the next pass is due, and which. Decided from what the database remembers, by its clock, so
// that instances agree whatever their own clocks say, and a restart changes nothing. Pure.
#pragma once

#include "sync/run.hpp"
#include "sync/run_ledger.hpp"

#include <chrono>

namespace rollcall::sync {

struct ScheduleConfig {
    std::chrono::milliseconds interval{std::chrono::minutes(5)};  // of incremental passes
    std::chrono::milliseconds full_interval{std::chrono::hours(24)};
};

struct NextRun {
    std::chrono::milliseconds wait{};  // from `state.now`; zero: due
    RunMode mode = RunMode::incremental;
    RunTrigger trigger = RunTrigger::schedule;
};

// `chance`, in [0, 1), spreads the waits by a tenth, so that several services do not ask in step.
// A complete pass is due at first start, after its interval, when more had changed than an
// incremental one can read, and when the clock was set back to before the last one; a run that did
// not complete is repeated after an interval, after two, and so on up to eight.
[[nodiscard]] NextRun next_run(const SyncState& state, const ScheduleConfig& config, double chance);
// With what an instance begins that has just taken the duty: at once with the pass that a stop cut
// short, here or elsewhere; without one as above.
[[nodiscard]] NextRun first_run(const SyncState& state, const ScheduleConfig& config,
                                double chance);

}  // namespace rollcall::sync
