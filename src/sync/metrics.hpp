// What polling shows of itself: rollcall_sync_*. One for each registry.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "sync/run.hpp"

#include <optional>

namespace rollcall::sync {

class RunMetrics {
public:
    explicit RunMetrics(MetricsRegistry& registry);  // must outlive this

    // A run that has ended at `now`; not a dry run.
    void ended(const RunSummary& summary, RunTrigger trigger, SystemTime now);
    // A deletion of one user was held back.
    void deletion_held() { deletes_blocked_.Increment(); }
    // What another process has found; `last_success` is absent before the first.
    void known(std::optional<SystemTime> last_success, const Drift& drift);

private:
    void show(const Drift& drift);
    void succeeded_at(SystemTime time);

    prometheus::Family<prometheus::Counter>& runs_;
    prometheus::Family<prometheus::Histogram>& durations_;
    prometheus::Gauge& last_success_;
    prometheus::Family<prometheus::Counter>& users_;
    prometheus::Family<prometheus::Gauge>& drift_;
    prometheus::Counter& deletes_blocked_;
};

}  // namespace rollcall::sync
