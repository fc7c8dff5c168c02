// The alerts of one process: looks at the conditions, sends what is to be told, lists what fires.
// Two loops, so that an address that hangs holds up no decision. docs/alerts.md is its manual.
#pragma once

#include "alerts/evaluator.hpp"
#include "alerts/message.hpp"
#include "alerts/messenger.hpp"
#include "alerts/sink.hpp"
#include "jobs/work_loop.hpp"

#include <optional>
#include <string>
#include <vector>

namespace rollcall::alerts {

struct AlertsConfig {
    EvaluatorConfig evaluator;
    SinkConfig sink;
    MessengerConfig messenger;
};

class Watch {
public:
    // All references must outlive this.
    Watch(Executor executor, pg::Pool& pool, AlertsConfig config, std::vector<Circuit> circuits,
          jobs::Metrics& job_metrics, MetricsRegistry& metrics);
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    void start();  // once the schema is there
    Task<> stop();

    // {"complete":true,"alerts":[…]}: those that fire, then those that fired once, the newest
    // first; `own` among them, that of a LocalAlarm here. Without the database it is all there is
    // to say, and not complete.
    Task<std::string> list(const std::optional<AlertMessage>& own, bool database);

private:
    pg::Pool& pool_;
    Evaluator evaluator_;
    Sink sink_;
    Messenger messenger_;
    jobs::WorkLoop looking_;
    jobs::WorkLoop sending_;
    bool sends_;
};

}  // namespace rollcall::alerts
