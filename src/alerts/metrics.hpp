// What those who decide on alerts share.
#pragma once

#include "base/metrics.hpp"

namespace rollcall::alerts {

[[nodiscard]] inline prometheus::Family<prometheus::Gauge>& active_alerts(
    MetricsRegistry& metrics) {
    return metrics.gauge("rollcall_alerts_active",
                         "1 while an alert fires; on the instance that has the duty.");
}

}  // namespace rollcall::alerts
