#include "gate/caller_metrics.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace rollcall::gate {
namespace {

constexpr std::array<std::string_view, 4> from_names{"memory", "database", "outage", "none"};
constexpr std::array<std::string_view, 2> result_names{"failed", "ok"};

}  // namespace

CallerMetrics::CallerMetrics(MetricsRegistry& registry)
    : entries_(registry
                   .gauge("rollcall_gate_standing_cache_entries",
                          "Callers in memory: a user in a session")
                   .Add({})),
      evictions_(registry
                     .counter("rollcall_gate_standing_cache_evictions_total",
                              "Callers that went from memory for want of room")
                     .Add({})),
      asked_for_(registry
                     .counter("rollcall_gate_standings_read_total",
                              "Callers that the database was asked for")
                     .Add({})),
      propagation_(registry
                       .histogram("rollcall_revocation_propagation_seconds",
                                  "From the end of a session at Clerk to its refusal here, of "
                                  "sessions in use")
                       .Add({}, wait_buckets())) {
    auto& answers = registry.counter("rollcall_gate_standings_total",
                                     "What was known of a caller, by where it came from");
    for (std::size_t i = 0; i < from_names.size(); ++i) {
        answered_.at(i) = &answers.Add({{"from", std::string(from_names.at(i))}});
    }
    auto& took = registry.histogram("rollcall_gate_standing_read_duration_seconds",
                                    "One statement that asks for callers");
    for (std::size_t i = 0; i < result_names.size(); ++i) {
        took_.at(i) = &took.Add({{"result", std::string(result_names.at(i))}}, duration_buckets());
    }
}

void CallerMetrics::answered(From from) {
    answered_.at(static_cast<std::size_t>(from))->Increment();
}

void CallerMetrics::remembered(std::size_t callers, std::size_t evicted) {
    entries_.Set(static_cast<double>(callers));
    if (evicted > evicted_) evictions_.Increment(static_cast<double>(evicted - evicted_));
    evicted_ = evicted;
}

void CallerMetrics::asked(Duration took, std::size_t callers, bool answered) {
    took_.at(answered ? 1 : 0)->Observe(std::chrono::duration<double>(took).count());
    asked_for_.Increment(static_cast<double>(callers));
}

void CallerMetrics::revoked_after(double seconds) {
    propagation_.Observe(std::max(0.0, seconds));
}

}  // namespace rollcall::gate
