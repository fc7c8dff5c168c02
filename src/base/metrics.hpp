// Prometheus metrics. A registry is made once in cli/ and passed by reference; families are
// registered by the struct of the module that owns them (jobs::Metrics, http::Metrics, …), with all
// known label sets at zero, so that every name exists from the start. Updates are atomic.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace rollcall {

using Labels = prometheus::Labels;

class MetricsRegistry {
public:
    MetricsRegistry();
    MetricsRegistry(const MetricsRegistry&) = delete;
    MetricsRegistry& operator=(const MetricsRegistry&) = delete;

    // References live as long as the registry. Registering a name twice is a bug unless help and
    // type are the same, when the same family is returned.
    prometheus::Family<prometheus::Counter>& counter(const std::string& name,
                                                     const std::string& help);
    prometheus::Family<prometheus::Gauge>& gauge(const std::string& name, const std::string& help);
    prometheus::Family<prometheus::Histogram>& histogram(const std::string& name,
                                                         const std::string& help);

    // Before each render(): for what changes by itself, as time passes. Must not throw, nor refer
    // to what may be gone by then.
    void before_render(std::function<void()> refresh);

    // Text exposition format 0.0.4, with process_* and rollcall_log_messages_total.
    [[nodiscard]] std::string render() const;

private:
    void note(const std::string& name, const std::string& help, char type);

    prometheus::Registry registry_;
    std::vector<std::function<void()>> refreshes_;
    std::map<std::string, std::string, std::less<>> registered_;  // name to type and help
};

// Bucket bounds in seconds: 0.5 ms to 5 s.
[[nodiscard]] std::vector<double> duration_buckets();
// Bucket bounds in seconds: 1 ms to 1 h, for what may wait in a queue.
[[nodiscard]] std::vector<double> wait_buckets();

}  // namespace rollcall
