#include "webhooks/metrics.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <string>

namespace rollcall::webhooks {
namespace {

constexpr std::array<std::string_view, 11> outcome_names{
    "enqueued",         "spooled",       "duplicate",       "ignored",
    "malformed",        "bad_signature", "stale_timestamp", "too_large",
    "unsupported_type", "rate_limited",  "unavailable"};
constexpr std::array<std::string_view, 8> type_names{
    "user.created",    "user.updated",    "user.deleted", "session.ended",
    "session.removed", "session.revoked", "other",        "none"};
constexpr std::size_t known_types = type_names.size() - 2;
constexpr std::array<std::string_view, 2> slot_names{"current", "previous"};

// Every reason but those of Refusal, which carry their own names.
constexpr std::array<std::string_view, 3> further_reasons{"too_large", "unsupported_type",
                                                          "rate_limited"};

template <class E>
std::size_t index(E value) {
    return static_cast<std::size_t>(value);
}

}  // namespace

std::string_view to_string(Outcome outcome) {
    return outcome_names.at(index(outcome));
}

TypeLabel type_label(std::string_view event_type) {
    if (event_type.empty()) return TypeLabel::none;
    const auto* known = std::find(type_names.begin(), type_names.begin() + known_types, event_type);
    return static_cast<TypeLabel>(known - type_names.begin());
}

Metrics::Metrics(MetricsRegistry& registry)
    : refused_(registry.counter("rollcall_webhook_refused_total",
                                "Deliveries refused, by the reason that the sender is not told")),
      last_received_(registry
                         .gauge("rollcall_webhook_last_received_timestamp_seconds",
                                "When a delivery was last verified; 0: never")
                         .Add({})) {
    auto& received = registry.counter("rollcall_webhook_received_total", "Deliveries, each once");
    auto& lag = registry.histogram("rollcall_webhook_lag_seconds",
                                   "From the sender's timestamp to the durable insert");
    auto& used = registry.counter("rollcall_webhook_secret_used_total",
                                  "Verified deliveries by the secret that matched");
    for (std::size_t type = 0; type < types; ++type) {
        const std::string name(type_names.at(type));
        lag_.at(type) = &lag.Add({{"event_type", name}}, wait_buckets());
        for (std::size_t outcome = 0; outcome < outcomes; ++outcome) {
            received_.at(type).at(outcome) = &received.Add(
                {{"event_type", name}, {"result", std::string(outcome_names.at(outcome))}});
        }
    }
    for (std::size_t slot = 0; slot < slot_names.size(); ++slot) {
        secret_used_.at(slot) = &used.Add({{"slot", std::string(slot_names.at(slot))}});
    }
    for (const std::string_view reason : further_reasons) {
        refused_.Add({{"reason", std::string(reason)}});
    }
    for (const Refusal refusal :
         {Refusal::missing_header, Refusal::bad_timestamp, Refusal::stale_timestamp,
          Refusal::future_timestamp, Refusal::no_matching_signature, Refusal::bad_secret}) {
        refused_.Add({{"reason", std::string(to_string(refusal))}});
    }
}

void Metrics::received(TypeLabel type, Outcome outcome) {
    received_.at(index(type)).at(index(outcome))->Increment();
}

void Metrics::refused(std::string_view reason) {
    refused_.Add({{"reason", std::string(reason)}}).Increment();
}

void Metrics::stored_after(TypeLabel type, double seconds) {
    lag_.at(index(type))->Observe(std::max(0.0, seconds));
}

void Metrics::verified(std::size_t secret_slot, SystemTime now) {
    secret_used_.at(std::min<std::size_t>(secret_slot, 1))->Increment();
    last_received_.Set(std::chrono::duration<double>(now.time_since_epoch()).count());
}

}  // namespace rollcall::webhooks
