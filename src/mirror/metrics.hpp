// What the mirror shows of itself: rollcall_mirror_*. One for each registry.
#pragma once

#include "base/metrics.hpp"
#include "mirror/compare_record.hpp"
#include "mirror/copies.hpp"
#include "mirror/plan.hpp"

#include <array>

namespace rollcall::mirror {

class Metrics {
public:
    explicit Metrics(MetricsRegistry& registry);  // must outlive this

    void done(MirrorAction action);
    void known(const Copies::Counts& counts);
    void compared(const Compared& last);

private:
    std::array<prometheus::Counter*, mirror_actions> users_{};
    prometheus::Gauge& pending_;
    prometheus::Gauge& skipped_;
    std::array<prometheus::Gauge*, 3> drift_{};  // missing, different, extra
    prometheus::Gauge& held_;
    prometheus::Gauge& compared_;
};

}  // namespace rollcall::mirror
