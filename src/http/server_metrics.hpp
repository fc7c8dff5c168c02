// The figures of a listener's requests. Label sets are looked up once and kept: a request costs a
// few additions.
#pragma once

#include "base/metrics.hpp"
#include "http/router.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::http {

struct ServerMetrics {
    explicit ServerMetrics(MetricsRegistry& registry);

    prometheus::Family<prometheus::Counter>& requests;
    prometheus::Family<prometheus::Histogram>& duration;
    prometheus::Family<prometheus::Gauge>& in_flight;
    prometheus::Family<prometheus::Histogram>& size;
    prometheus::Family<prometheus::Counter>& refused;
};

// One for each listener.
class RequestMetrics {
public:
    RequestMetrics(ServerMetrics& families, const std::string& listener);

    // Before the first request, once the router has all its routes.
    void know(const Router& router);

    // `route` is null for what no route took.
    void finished(const Router::Route* route, std::string_view method, unsigned status,
                  double seconds, std::size_t body_bytes);
    // A request that was refused before it was whole.
    void refused(unsigned status);

    prometheus::Gauge& in_flight() { return in_flight_; }

private:
    struct Count {
        std::size_t method;
        unsigned status;
        prometheus::Counter* counter;
    };
    struct Row {
        std::string route;
        prometheus::Histogram* duration;
        prometheus::Histogram* size;
        std::vector<Count> counts;  // few: searched from the front
    };

    prometheus::Counter& counter(Row& row, std::size_t method, unsigned status);

    ServerMetrics& families_;
    std::string listener_;
    prometheus::Gauge& in_flight_;
    std::vector<Row> rows_;  // by the route's index; the last is "other"
};

}  // namespace rollcall::http
