#include "gate/decision_metrics.hpp"

#include "clerk/token_reason.hpp"
#include "gate/standing_verdict.hpp"

#include <chrono>
#include <string>

namespace rollcall::gate {
namespace {

constexpr std::array<std::string_view, 3> cached_names{"none", "hit", "miss"};

// 10 µs to 100 ms.
std::vector<double> buckets() {
    return {1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1};
}

Labels labels(std::string_view access, bool allowed, std::string_view reason) {
    return {{"access", std::string(access)},
            {"decision", allowed ? "allow" : "deny"},
            {"reason", std::string(reason)}};
}

// What can come of a request: everything but the rarest combinations, which come when they do.
void register_all(prometheus::Family<prometheus::Counter>& decisions) {
    for (const std::string_view reason :
         {reason_untrusted_proxy, reason_bad_target, reason_policy_error}) {
        decisions.Add(labels("none", false, reason));
    }
    decisions.Add(labels("deny", false, reason_no_rule));
    decisions.Add(labels("public", true, reason_ok));
    for (const std::string_view access : {"protected", "admin"}) {
        decisions.Add(labels(access, true, reason_ok));
        for (std::size_t i = 0; i < clerk::token_reasons; ++i) {
            decisions.Add(
                labels(access, false, clerk::to_string(static_cast<clerk::TokenReason>(i))));
        }
        for (auto i = 0; i <= static_cast<int>(StandingRefusal::sync_stale); ++i) {
            decisions.Add(labels(access, false, to_string(static_cast<StandingRefusal>(i))));
        }
    }
}

}  // namespace

DecisionMetrics::DecisionMetrics(MetricsRegistry& registry)
    : decisions_(registry.counter("rollcall_gate_decisions_total",
                                  "Decisions of the gate, by the access of the rule and why.")),
      requests_(registry
                    .counter("rollcall_gate_token_cache_requests_total",
                             "Tokens that were looked for among those verified before.")
                    .Add({})),
      hits_(registry.counter("rollcall_gate_token_cache_hits_total", "Those that were found.")
                .Add({})),
      evictions_(registry
                     .counter("rollcall_gate_token_cache_evictions_total",
                              "Verified tokens that were forgotten for want of room.")
                     .Add({})),
      entries_(
          registry.gauge("rollcall_gate_token_cache_entries", "Verified tokens that are known.")
              .Add({})) {
    register_all(decisions_);
    auto& took = registry.histogram("rollcall_gate_decision_duration_seconds",
                                    "Of a decision; cache says whether its token was known.");
    for (std::size_t i = 0; i < took_.size(); ++i) {
        took_.at(i) = &took.Add({{"cache", std::string(cached_names.at(i))}}, buckets());
    }
}

void DecisionMetrics::decided(const Verdict& verdict, Cached cached, Duration took) {
    const std::string_view access = verdict.access ? to_string(*verdict.access) : "none";
    series(access, verdict.answer == Answer::allow, verdict.reason).Increment();
    took_.at(static_cast<std::size_t>(cached))
        ->Observe(std::chrono::duration<double>(took).count());
    if (cached == Cached::none) return;
    requests_.Increment();
    if (cached == Cached::hit) hits_.Increment();
}

// The family's own search by labels costs more than the rest of a decision.
prometheus::Counter& DecisionMetrics::series(std::string_view access, bool allowed,
                                             std::string_view reason) {
    prometheus::Counter*& known = series_[{access, reason, allowed}];
    if (known == nullptr) known = &decisions_.Add(labels(access, allowed, reason));
    return *known;
}

void DecisionMetrics::remembered(std::size_t tokens, std::size_t evicted) {
    if (tokens != tokens_) entries_.Set(static_cast<double>(tokens));
    tokens_ = tokens;
    if (evicted != evicted_) evictions_.Increment(static_cast<double>(evicted - evicted_));
    evicted_ = evicted;
}

}  // namespace rollcall::gate
