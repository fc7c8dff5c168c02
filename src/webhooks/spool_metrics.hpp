// The spool's metrics, there whether one is configured or not. Internal to this folder and its
// wiring.
#pragma once

#include "base/metrics.hpp"
#include "spool/journal.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace rollcall::webhooks {

class SpoolMetrics {
public:
    explicit SpoolMetrics(MetricsRegistry& registry);

    enum class Appended : std::uint8_t { kept, full, failed };
    enum class Drained : std::uint8_t { stored, duplicate, review, unreadable, refused };

    void appended(Appended result);
    void drained(Drained result, std::size_t events = 1);
    void holds(const spool::SpoolStats& stats);

private:
    std::array<prometheus::Counter*, 3> appended_{};
    std::array<prometheus::Counter*, 5> drained_{};
    prometheus::Gauge& events_;
    prometheus::Gauge& bytes_;
    prometheus::Gauge& damaged_;
    std::shared_ptr<std::optional<SystemTime>> oldest_;  // shared with the registry
};

}  // namespace rollcall::webhooks
