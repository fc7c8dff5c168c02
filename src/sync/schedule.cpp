#include "sync/schedule.hpp"

#include <algorithm>

namespace rollcall::sync {
namespace {

using std::chrono::milliseconds;

constexpr int doublings_max = 3;
constexpr double jitter = 0.1;

milliseconds times(milliseconds value, double factor) {
    return milliseconds(static_cast<std::int64_t>(static_cast<double>(value.count()) * factor));
}

// What is left of `span` since `from`. The database's clock may have been set back.
milliseconds left(SystemTime from, milliseconds span, SystemTime now) {
    const milliseconds passed = std::max(now - std::min(from, now), milliseconds(0));
    return std::max(span - passed, milliseconds(0));
}

}  // namespace

NextRun next_run(const SyncState& state, const ScheduleConfig& config, double chance) {
    const bool first = !state.full_completed_at || !state.watermark_ms;
    // Well ahead: the clock was set back, and how long ago that was cannot be told.
    const bool full_due =
        first || state.outpaced || *state.full_completed_at > state.now + config.interval ||
        left(*state.full_completed_at, config.full_interval, state.now).count() == 0;
    NextRun out{.wait = milliseconds(0),
                .mode = full_due ? RunMode::full : RunMode::incremental,
                .trigger = first ? RunTrigger::start : RunTrigger::schedule};
    if (!state.last_started_at) return out;
    const int failures = state.failures_in_a_row;
    if (failures == 0 && full_due) return out;
    const int doublings = std::clamp(failures - 1, 0, doublings_max);
    const milliseconds interval =
        times(config.interval * (1 << doublings), 1 - jitter + 2 * jitter * chance);
    out.wait = left(*state.last_started_at, interval, state.now);
    // A complete pass does not wait for the incremental one before it.
    if (failures == 0 && !full_due) {
        const milliseconds full_wait =
            left(*state.full_completed_at, config.full_interval, state.now);
        if (full_wait < out.wait) {
            out.wait = full_wait;
            out.mode = RunMode::full;
        }
    }
    return out;
}

NextRun first_run(const SyncState& state, const ScheduleConfig& config, double chance) {
    NextRun out = next_run(state, config, chance);
    if (!state.interrupted) return out;
    out.wait = milliseconds(0);
    out.trigger = RunTrigger::start;
    if (*state.interrupted == RunMode::full) out.mode = RunMode::full;
    return out;
}

}  // namespace rollcall::sync
