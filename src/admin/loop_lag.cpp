#include "admin/loop_lag.hpp"

namespace rollcall::admin {

LoopLag::LoopLag(Executor executor, MetricsRegistry& registry, std::chrono::milliseconds interval)
    : timer_(executor),
      interval_(interval),
      lag_(registry
               .histogram("rollcall_event_loop_lag_seconds",
                          "How long after its time a timer of the event loop fires.")
               .Add({}, duration_buckets())) {}

void LoopLag::start() {
    look_again();
}

void LoopLag::stop() {
    timer_.cancel();
}

void LoopLag::look_again() {
    timer_.expires_after(interval_);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (cancelled) return;
        const std::chrono::duration<double> late =
            std::chrono::steady_clock::now() - timer_.expiry();
        lag_.Observe(late.count());
        look_again();
    });
}

}  // namespace rollcall::admin
