#include "cli/alerting.hpp"

#include "http/breaker.hpp"

#include <utility>
#include <vector>

namespace rollcall::cli {

std::unique_ptr<alerts::Watch> make_alerts(Executor executor, pg::Pool& pool, const Config& config,
                                           std::string instance, const clerk::ApiChannel* channel,
                                           jobs::Metrics& job_metrics, MetricsRegistry& metrics) {
    alerts::AlertsConfig alerts = config.alerts;
    alerts.evaluator.instance = std::move(instance);
    std::vector<alerts::Circuit> circuits;
    if (channel != nullptr) {
        circuits.push_back(
            {"clerk", [channel] { return channel->circuit() == http::Breaker::State::closed; }});
    }
    return std::make_unique<alerts::Watch>(executor, pool, std::move(alerts), std::move(circuits),
                                           job_metrics, metrics);
}

}  // namespace rollcall::cli
