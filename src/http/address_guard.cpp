#include "http/address_guard.hpp"

#include <algorithm>

namespace rollcall::http {

using std::chrono::milliseconds;

Response too_many_requests(milliseconds wait) {
    Response response = Response::json(429, R"({"error":"Too Many Requests"})");
    const auto seconds = std::max<std::int64_t>(1, (wait.count() + 999) / 1000);
    response.headers.add("Retry-After", std::to_string(seconds));
    return response;
}

prometheus::Family<prometheus::Counter>& refusals(MetricsRegistry& metrics) {
    return metrics.counter("rollcall_http_refused_total",
                           "Requests and connections turned away by a limit of the listener.");
}

std::optional<RateLimiter> limiter(double per_second, double burst, std::size_t keys_max) {
    if (per_second <= 0) return std::nullopt;
    return RateLimiter({.per_second = per_second, .burst = std::max(1.0, burst)}, keys_max);
}

AddressGuard::AddressGuard(const GuardConfig& config, const Clock& clock, MetricsRegistry& metrics,
                           const std::string& listener)
    : clock_(clock),
      failures_(
          limiter(config.failures_per_minute / 60, config.failures_burst, config.addresses_max)),
      overall_(limiter(config.requests_per_second, config.requests_burst, 1)),
      by_address_(refusals(metrics).Add({{"listener", listener}, {"reason", "address_limit"}})),
      by_overall_(refusals(metrics).Add({{"listener", listener}, {"reason", "overall_limit"}})) {}

std::optional<Response> AddressGuard::refuse(prometheus::Counter& counter, milliseconds wait) {
    if (wait <= milliseconds::zero()) return std::nullopt;
    counter.Increment();
    return too_many_requests(wait);
}

// Its own limit first: what one address sends beyond that uses up nothing that others share.
std::optional<Response> AddressGuard::failed(std::string_view address) {
    if (failures_) {
        const auto wait = failures_->take(rate_limit_key(address), clock_.steady());
        if (auto refused = refuse(by_address_, wait)) return refused;
    }
    return stray();
}

std::optional<Response> AddressGuard::stray() {
    if (!overall_) return std::nullopt;
    return refuse(by_overall_, overall_->take("", clock_.steady()));
}

std::optional<Response> AddressGuard::large(std::string_view address) {
    if (!failures_) return std::nullopt;
    return refuse(by_address_, failures_->peek(rate_limit_key(address), clock_.steady()));
}

}  // namespace rollcall::http
