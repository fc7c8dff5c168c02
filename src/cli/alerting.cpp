#include "cli/alerting.hpp"

#include "http/breaker.hpp"

#include <utility>
#include <vector>

namespace rollcall::cli {

std::unique_ptr<alerts::Watch> make_alerts(Executor executor, pg::Pool& pool, const Config& config,
                                           std::string instance, const clerk::ApiChannel* clerk,
                                           const supabase::AuthChannel* supabase,
                                           jobs::Metrics& job_metrics, MetricsRegistry& metrics) {
    alerts::AlertsConfig alerts = config.alerts;
    alerts.evaluator.instance = std::move(instance);
    std::vector<alerts::Circuit> circuits;
    const auto watch = [&circuits](std::string name, const auto* channel) {
        if (channel == nullptr) return;
        circuits.push_back({std::move(name), [channel] {
                                return channel->circuit() == http::Breaker::State::closed;
                            }});
    };
    watch("clerk", clerk);
    watch("supabase_auth", supabase);
    return std::make_unique<alerts::Watch>(executor, pool, std::move(alerts), std::move(circuits),
                                           job_metrics, metrics);
}

}  // namespace rollcall::cli
