// The door's metrics, every label set at zero from the start. Internal to this folder.
#pragma once

#include "base/metrics.hpp"
#include "webhooks/signature.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rollcall::webhooks {

// How a delivery ended, for the label `result`.
enum class Outcome : std::uint8_t {
    enqueued,
    spooled,
    duplicate,
    ignored,
    malformed,  // kept for review
    bad_signature,
    stale_timestamp,
    too_large,
    unsupported_type,
    rate_limited,
    unavailable,
};
[[nodiscard]] std::string_view to_string(Outcome outcome);

// Bounded: a type that rollcall does not act on is "other", one that is not known "none".
enum class TypeLabel : std::uint8_t {
    user_created,
    user_updated,
    user_deleted,
    session_ended,
    session_removed,
    session_revoked,
    other,
    none
};
[[nodiscard]] TypeLabel type_label(std::string_view event_type);

class Metrics {
public:
    explicit Metrics(MetricsRegistry& registry);

    void received(TypeLabel type, Outcome outcome);
    void refused(std::string_view reason);
    // From the sender's timestamp to the commit.
    void stored_after(TypeLabel type, double seconds);
    void verified(std::size_t secret_slot, SystemTime now);

private:
    static constexpr std::size_t outcomes = 11;
    static constexpr std::size_t types = 8;
    std::array<std::array<prometheus::Counter*, outcomes>, types> received_{};
    std::array<prometheus::Histogram*, types> lag_{};
    prometheus::Family<prometheus::Counter>& refused_;
    prometheus::Gauge& last_received_;
    std::array<prometheus::Counter*, 2> secret_used_{};
};

}  // namespace rollcall::webhooks
