#include "alerts/messenger.hpp"

#include "alerts/message.hpp"
#include "alerts/sql.hpp"
#include "base/log.hpp"
#include "base/timeout.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::alerts {

using std::chrono::milliseconds;

// A message, and what says that it is still this one when its attempt is recorded.
struct Messenger::Taken {
    AlertMessage message;
    std::int64_t number = 0;
    int attempt = 0;

    [[nodiscard]] pg::Params key() const { return pg::Params().text(message.alert).bigint(number); }
};

namespace {

prometheus::Counter& counter(MetricsRegistry& metrics, const std::string& result) {
    return metrics
        .counter("rollcall_alert_messages_total",
                 "Attempts to deliver a message about an alert, by how they ended.")
        .Add({{"result", result}});
}

}  // namespace

Messenger::Messenger(Executor executor, pg::Pool& pool, Sink& sink, MessengerConfig config,
                     MetricsRegistry& metrics)
    : pool_(pool),
      sink_(sink),
      config_(config),
      stopped_(executor),
      delivered_(counter(metrics, "delivered")),
      failed_(counter(metrics, "failed")),
      given_up_(counter(metrics, "given_up")) {
    stopped_.expires_at(SteadyTime::max());
}

void Messenger::stop() {
    stopping_ = true;
    stopped_.expires_at(SteadyTime::min());
}

Task<int> Messenger::send_next() {
    if (stopping_ || !sink_.configured()) co_return 0;
    pg::Params lease;
    lease.bigint(milliseconds(2 * sink_.timeout()).count());
    const pg::Rows rows = co_await pool_.execute(sql::take_notice, lease);
    if (rows.empty()) co_return 0;
    Taken taken;
    taken.message.alert = rows.text(0, rows.column("alert"));
    taken.message.firing = rows.text(0, rows.column("notice")) == "firing";
    taken.message.summary = rows.text(0, rows.column("summary"));
    taken.message.labels = rows.text(0, rows.column("labels"));
    taken.message.since = SystemTime(milliseconds(rows.bigint(0, rows.column("since_ms"))));
    taken.number = rows.bigint(0, rows.column("notice_number"));
    taken.attempt = static_cast<int>(rows.bigint(0, rows.column("notice_attempts")));
    const auto delivery = co_await with_end(sink_.post(to_json(taken.message)), stopped_);
    if (!delivery) co_return 0;
    co_await record(taken, *delivery);
    co_return 1;
}

Task<> Messenger::record(const Taken& taken, const Delivery& delivery) {
    if (delivery.result == Delivery::Result::delivered) {
        delivered_.Increment();
        co_await pool_.execute(sql::end_notice, taken.key());
        co_return;
    }
    failed_.Increment();
    const bool last =
        delivery.result == Delivery::Result::refused || taken.attempt >= config_.attempts_max;
    const std::string_view alert = taken.message.alert;
    if (last) {
        given_up_.Increment();
        log::error("alert_not_delivered", {{"alert", alert},
                                           {"attempts", taken.attempt},
                                           {"trace_id", delivery.trace_id},
                                           {"reason", delivery.reason}});
        co_await pool_.execute(sql::end_notice, taken.key());
        co_return;
    }
    log::warn("alert_delivery_failed", {{"alert", alert},
                                        {"attempt", taken.attempt},
                                        {"trace_id", delivery.trace_id},
                                        {"reason", delivery.reason}});
    const auto pause =
        std::max(delivery.wait, backoff_delay(config_.backoff, taken.attempt - 1, random_));
    co_await pool_.execute(sql::put_off_notice, taken.key().bigint(pause.count()));
}

}  // namespace rollcall::alerts
