#include "alerts/local_alarm.hpp"

#include "alerts/metrics.hpp"
#include "base/log.hpp"
#include "base/timeout.hpp"

#include <utility>

namespace rollcall::alerts {

LocalAlarm::LocalAlarm(Executor executor, Sink& sink, LocalCondition condition, AlertPolicy policy,
                       const Clock& clock, MetricsRegistry& metrics)
    : sink_(sink),
      condition_(std::move(condition)),
      policy_(policy),
      clock_(clock),
      active_(active_alerts(metrics).Add({{"alert", condition_.alert}, {"scope", "instance"}})),
      stopped_(executor) {
    stopped_.expires_at(SteadyTime::max());
}

void LocalAlarm::stop() {
    stopping_ = true;
    stopped_.expires_at(SteadyTime::min());
}

Task<> LocalAlarm::look() {
    std::optional<SystemTime> since;
    if (auto seen = condition_.look()) {
        seen_ = *std::move(seen);
        since = seen_.since;
    }
    const Verdict verdict = decide(state_, since, policy_, clock_.now());
    state_ = verdict.state;
    active_.Set(state_.firing ? 1 : 0);
    if (verdict.turn == Verdict::Turn::began) {
        log::warn("alert_firing", {{"alert", condition_.alert},
                                   {"summary", seen_.summary},
                                   {"labels", seen_.labels},
                                   {"since", to_rfc3339(seen_.since)}});
    } else if (verdict.turn == Verdict::Turn::ended) {
        log::info("alert_resolved",
                  {{"alert", condition_.alert}, {"since", to_rfc3339(seen_.since)}});
    }
    if (state_.waiting != Notice::none && sink_.configured() && !stopping_) co_await send();
}

std::optional<AlertMessage> LocalAlarm::firing() const {
    return state_.firing ? std::optional(message(true)) : std::nullopt;
}

AlertMessage LocalAlarm::message(bool firing) const {
    return {.alert = condition_.alert,
            .firing = firing,
            .summary = seen_.summary,
            .since = state_.since.value_or(seen_.since),
            .labels = seen_.labels};
}

Task<> LocalAlarm::send() {
    const bool firing = state_.waiting == Notice::firing;
    state_.told = firing;
    const auto delivery = co_await with_end(sink_.post(to_json(message(firing))), stopped_);
    if (!delivery) co_return;
    if (delivery->result == Delivery::Result::failed) {
        log::warn("alert_delivery_failed",
                  {{"alert", condition_.alert}, {"reason", delivery->reason}});
        co_return;
    }
    if (delivery->result == Delivery::Result::refused) {
        log::error("alert_not_delivered",
                   {{"alert", condition_.alert}, {"reason", delivery->reason}});
    }
    state_.waiting = Notice::none;
}

}  // namespace rollcall::alerts
