// How late the event loop is: how long after its time a timer fires. One thread does everything, so
// this is what every request and job waits on top of its own work; the histogram
// rollcall_event_loop_lag_seconds shows it.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"

#include <chrono>

namespace rollcall::admin {

class LoopLag {
public:
    // The registry must outlive this.
    LoopLag(Executor executor, MetricsRegistry& registry,
            std::chrono::milliseconds interval = std::chrono::milliseconds(500));
    LoopLag(const LoopLag&) = delete;
    LoopLag& operator=(const LoopLag&) = delete;

    void start();
    void stop();  // so that the loop may run out of work

private:
    void look_again();

    SteadyTimer timer_;
    std::chrono::milliseconds interval_;
    prometheus::Histogram& lag_;
};

}  // namespace rollcall::admin
