#include "webhooks/spool_metrics.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace rollcall::webhooks {
namespace {

constexpr std::array<std::string_view, 3> appended_names{"kept", "full", "failed"};
constexpr std::array<std::string_view, 5> drained_names{"stored", "duplicate", "review",
                                                        "unreadable", "refused"};

prometheus::Gauge& gauge(MetricsRegistry& registry, const char* name, const char* help) {
    return registry.gauge(name, help).Add({});
}

}  // namespace

SpoolMetrics::SpoolMetrics(MetricsRegistry& registry)
    : events_(gauge(registry, "rollcall_spool_events",
                    "Webhooks that wait on this disk for the database")),
      bytes_(gauge(registry, "rollcall_spool_bytes", "Size of the spool's files")),
      damaged_(gauge(registry, "rollcall_spool_damaged_files",
                     "Files of the spool that a person should look at")),
      oldest_(std::make_shared<std::optional<SystemTime>>()) {
    auto& appended = registry.counter("rollcall_spool_appended_total",
                                      "Webhooks that the spool was to keep, by what became of it");
    for (std::size_t i = 0; i < appended_names.size(); ++i) {
        appended_.at(i) = &appended.Add({{"result", std::string(appended_names.at(i))}});
    }
    auto& drained = registry.counter("rollcall_spool_drained_total",
                                     "Webhooks that came out of the spool, by what became of them");
    for (std::size_t i = 0; i < drained_names.size(); ++i) {
        drained_.at(i) = &drained.Add({{"result", std::string(drained_names.at(i))}});
    }
    prometheus::Gauge& age = gauge(registry, "rollcall_spool_oldest_age_seconds",
                                   "How long the oldest of them has waited; 0: none waits");
    registry.before_render([&age, oldest = oldest_] {
        const std::chrono::duration<double> waited =
            *oldest ? real_clock().now() - **oldest : std::chrono::milliseconds(0);
        age.Set(std::max(0.0, waited.count()));
    });
}

void SpoolMetrics::appended(Appended result) {
    appended_.at(static_cast<std::size_t>(result))->Increment();
}

void SpoolMetrics::drained(Drained result, std::size_t events) {
    drained_.at(static_cast<std::size_t>(result))->Increment(static_cast<double>(events));
}

void SpoolMetrics::holds(const spool::SpoolStats& stats) {
    events_.Set(static_cast<double>(stats.records));
    bytes_.Set(static_cast<double>(stats.bytes));
    damaged_.Set(static_cast<double>(stats.damaged));
    *oldest_ = stats.oldest;
}

}  // namespace rollcall::webhooks
