#include "http/server_metrics.hpp"

#include "http/address_guard.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace rollcall::http {
namespace {

// Method names come from outside: the label knows these, and all others as the last.
constexpr std::array<std::string_view, 8> methods{"GET",    "POST",  "HEAD",    "PUT",
                                                  "DELETE", "PATCH", "OPTIONS", "other"};

std::size_t method_index(std::string_view method) {
    const auto found = std::ranges::find(methods.begin(), methods.end() - 1, method);
    return static_cast<std::size_t>(found - methods.begin());
}

std::vector<double> size_buckets() {
    return {256, 1024, 4096, 16'384, 65'536, 262'144, 1'048'576, 4'194'304};
}

}  // namespace

ServerMetrics::ServerMetrics(MetricsRegistry& registry)
    : requests(registry.counter("rollcall_http_requests_total",
                                "Requests answered, by listener, route, method and status.")),
      duration(registry.histogram("rollcall_http_request_duration_seconds",
                                  "From the whole request read to the answer written.")),
      in_flight(registry.gauge("rollcall_http_in_flight_requests",
                               "Requests whose answer is being made.")),
      size(registry.histogram("rollcall_http_request_size_bytes", "Bytes of request bodies.")),
      refused(refusals(registry)) {}

RequestMetrics::RequestMetrics(ServerMetrics& families, const std::string& listener)
    : families_(families),
      listener_(listener),
      in_flight_(families.in_flight.Add({{"listener", listener}})) {}

void RequestMetrics::know(const Router& router) {
    const auto add_row = [&](const std::string& route) -> Row& {
        return rows_.emplace_back(
            Row{.route = route,
                .duration = &families_.duration.Add({{"route", route}}, duration_buckets()),
                .size = &families_.size.Add({{"route", route}}, size_buckets()),
                .counts = {}});
    };
    for (const Router::Route& route : router.routes()) {
        Row& row = add_row(route.pattern);
        for (const std::string& method : route.methods) counter(row, method_index(method), 200);
    }
    counter(add_row("other"), method_index("GET"), 404);
}

prometheus::Counter& RequestMetrics::counter(Row& row, std::size_t method, unsigned status) {
    for (const Count& count : row.counts) {
        if (count.status == status && count.method == method) return *count.counter;
    }
    auto& counter = families_.requests.Add({{"listener", listener_},
                                            {"route", row.route},
                                            {"method", std::string(methods[method])},
                                            {"code", std::to_string(status)}});
    row.counts.push_back({.method = method, .status = status, .counter = &counter});
    return counter;
}

void RequestMetrics::finished(const Router::Route* route, std::string_view method, unsigned status,
                              double seconds, std::size_t body_bytes) {
    Row& row = route == nullptr ? rows_.back() : rows_[route->index];
    counter(row, method_index(method), status).Increment();
    row.duration->Observe(seconds);
    row.size->Observe(static_cast<double>(body_bytes));
}

void RequestMetrics::refused(unsigned status) {
    counter(rows_.back(), methods.size() - 1, status).Increment();
}

}  // namespace rollcall::http
