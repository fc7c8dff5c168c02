// What polling shows of itself: rollcall_sync_*. One for each registry.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "sync/run.hpp"

namespace rollcall::sync {

class RunMetrics {
public:
    explicit RunMetrics(MetricsRegistry& registry);  // must outlive this

    // A run that has ended at `now`; not a dry run.
    void ended(const RunSummary& summary, RunTrigger trigger, SystemTime now);
    // The last success before this process began.
    void succeeded_at(SystemTime time);

private:
    prometheus::Family<prometheus::Counter>& runs_;
    prometheus::Family<prometheus::Histogram>& durations_;
    prometheus::Gauge& last_success_;
    prometheus::Family<prometheus::Counter>& users_;
    prometheus::Family<prometheus::Gauge>& drift_;
    prometheus::Counter& deletes_blocked_;
};

}  // namespace rollcall::sync
