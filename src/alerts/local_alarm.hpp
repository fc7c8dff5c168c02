// An alert of this process alone, decided in memory and told to the sink directly: for what must be
// told while the database is away, where all other alerts are kept. After a restart it may be told
// once more.
#pragma once

#include "alerts/alert_state.hpp"
#include "alerts/conditions.hpp"
#include "alerts/message.hpp"
#include "alerts/sink.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/task.hpp"

#include <functional>
#include <optional>
#include <string>

namespace rollcall::alerts {

struct LocalCondition {
    std::string alert;
    std::function<std::optional<Sighting>()> look;  // nothing: it does not hold
};

class LocalAlarm {
public:
    // All references must outlive this.
    LocalAlarm(Executor executor, Sink& sink, LocalCondition condition, AlertPolicy policy,
               const Clock& clock, MetricsRegistry& metrics);
    LocalAlarm(const LocalAlarm&) = delete;
    LocalAlarm& operator=(const LocalAlarm&) = delete;

    // One look, and the message that is due after it. What could not be delivered is tried again
    // at the next.
    Task<> look();
    // While it fires: how it stands.
    [[nodiscard]] std::optional<AlertMessage> firing() const;
    // What is being sent is left, and nothing more is sent.
    void stop();

private:
    Task<> send();
    [[nodiscard]] AlertMessage message(bool firing) const;

    Sink& sink_;
    LocalCondition condition_;
    AlertPolicy policy_;
    const Clock& clock_;
    prometheus::Gauge& active_;
    AlertState state_;
    Sighting seen_;  // the last one
    SteadyTimer stopped_;
    bool stopping_ = false;
};

}  // namespace rollcall::alerts
