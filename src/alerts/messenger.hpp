// Sends the messages that wait in `rollcall.alerts`, each until it is delivered, refused, or was
// tried too often; then the next reminder tries again. Any instance may send any message: it is
// taken for a time, so that two do not send one. At least once: who dies between sending and
// recording it leaves it to be sent again.
#pragma once

#include "alerts/sink.hpp"
#include "base/backoff.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <string>

namespace rollcall::alerts {

struct MessengerConfig {
    int attempts_max = 12;  // with the pauses below about an hour
    Backoff backoff{std::chrono::seconds(2), std::chrono::minutes(10)};
};

class Messenger {
public:
    // All references must outlive this.
    Messenger(Executor executor, pg::Pool& pool, Sink& sink, MessengerConfig config,
              MetricsRegistry& metrics);
    Messenger(const Messenger&) = delete;
    Messenger& operator=(const Messenger&) = delete;

    // Tries one message that is due; how many that were: 0 or 1.
    Task<int> send_next();
    // What is being sent is left to another instance, and nothing more is sent.
    void stop();

private:
    struct Taken;
    Task<> record(const Taken& taken, const Delivery& delivery);

    pg::Pool& pool_;
    Sink& sink_;
    MessengerConfig config_;
    Random random_;
    SteadyTimer stopped_;
    bool stopping_ = false;
    prometheus::Counter& delivered_;
    prometheus::Counter& failed_;
    prometheus::Counter& given_up_;
};

}  // namespace rollcall::alerts
