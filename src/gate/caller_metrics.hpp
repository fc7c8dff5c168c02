// Metrics of what is known of callers, all at zero from the start. Internal to this folder.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace rollcall::gate {

class CallerMetrics {
public:
    enum class From : std::uint8_t { memory, database, outage, none };

    explicit CallerMetrics(MetricsRegistry& registry);

    void answered(From from);
    void remembered(std::size_t callers, std::size_t evicted);
    void asked(Duration took, std::size_t callers, bool answered);
    void revoked_after(double seconds);

private:
    std::array<prometheus::Counter*, 4> answered_{};
    prometheus::Gauge& entries_;
    prometheus::Counter& evictions_;
    std::array<prometheus::Histogram*, 2> took_{};
    prometheus::Counter& asked_for_;
    prometheus::Histogram& propagation_;
    std::size_t evicted_ = 0;
};

}  // namespace rollcall::gate
