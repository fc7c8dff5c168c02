#include "sync/metrics.hpp"

#include <array>
#include <chrono>
#include <string>
#include <utility>

namespace rollcall::sync {
namespace {

constexpr std::array triggers{RunTrigger::schedule, RunTrigger::start, RunTrigger::cron,
                              RunTrigger::cli,      RunTrigger::admin, RunTrigger::gate,
                              RunTrigger::job};
constexpr std::array results{RunStatus::completed, RunStatus::incomplete, RunStatus::failed};

// 10 ms to a bit over an hour.
prometheus::Histogram::BucketBoundaries buckets() {
    return {0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 4000};
}

Labels label(const std::string& name, std::string_view value) {
    return {{name, std::string(value)}};
}

std::array<std::pair<std::string_view, std::int64_t>, 5> changes(const RunSummary& summary) {
    return {{{"created", summary.created},
             {"updated", summary.updated},
             {"deleted", summary.deleted},
             {"restored", summary.restored},
             {"unchanged", summary.unchanged}}};
}

std::array<std::pair<std::string_view, std::int64_t>, 3> kinds(const Drift& drift) {
    return {{{"missing", drift.missing}, {"stale", drift.stale}, {"extra", drift.extra}}};
}

}  // namespace

RunMetrics::RunMetrics(MetricsRegistry& registry)
    : runs_(registry.counter("rollcall_sync_runs_total", "Runs that follow Clerk, as they ended")),
      durations_(registry.histogram("rollcall_sync_duration_seconds", "How long a run took")),
      last_success_(registry
                        .gauge("rollcall_sync_last_success_timestamp_seconds",
                               "When a pass last completed; 0: never")
                        .Add({})),
      users_(registry.counter("rollcall_sync_users_total", "Users that runs looked at")),
      drift_(registry.gauge("rollcall_sync_drift_users",
                            "Users that differed from Clerk in the last complete pass, before it "
                            "repaired them")),
      deletes_blocked_(registry
                           .counter("rollcall_sync_deletes_blocked_total",
                                    "Times deletions were held back, all of a pass or one user's")
                           .Add({})) {
    for (const RunTrigger trigger : triggers) {
        const std::string name(to_string(trigger));
        for (const RunStatus result : results) {
            runs_.Add({{"trigger", name}, {"result", std::string(to_string(result))}});
        }
        durations_.Add({{"trigger", name}}, buckets());
    }
    for (const auto& [change, count] : changes({})) users_.Add(label("change", change));
    for (const auto& [kind, count] : kinds({})) drift_.Add(label("kind", kind));
}

void RunMetrics::ended(const RunSummary& summary, RunTrigger trigger, SystemTime now) {
    const std::string name(to_string(trigger));
    runs_.Add({{"trigger", name}, {"result", std::string(to_string(summary.status))}}).Increment();
    durations_.Add({{"trigger", name}}, buckets()).Observe(summary.duration_seconds);
    for (const auto& [change, count] : changes(summary)) {
        users_.Add(label("change", change)).Increment(static_cast<double>(count));
    }
    if (summary.mode == RunMode::user) return;
    if (summary.held_deletes > 0) deletes_blocked_.Increment();
    if (summary.status != RunStatus::completed) return;
    succeeded_at(now);
    if (summary.mode == RunMode::full) show(summary.found);
}

void RunMetrics::known(std::optional<SystemTime> last_success, const Drift& drift) {
    if (last_success) succeeded_at(*last_success);
    show(drift);
}

void RunMetrics::show(const Drift& drift) {
    for (const auto& [kind, count] : kinds(drift)) {
        drift_.Add(label("kind", kind)).Set(static_cast<double>(count));
    }
}

void RunMetrics::succeeded_at(SystemTime time) {
    last_success_.Set(std::chrono::duration<double>(time.time_since_epoch()).count());
}

}  // namespace rollcall::sync
