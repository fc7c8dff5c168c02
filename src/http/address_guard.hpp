// What a public listener takes of those who have not shown who they are: so many requests that fail
// verification from one address, so many of the rest from all together. What does verify (a signed
// delivery, a right key) is not its business and never refused by it. Bounded in memory; one event
// loop.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "http/message.hpp"
#include "http/rate_limit.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::http {

struct GuardConfig {
    // Requests that fail verification, from one address (IPv6: one /64), refilled evenly over the
    // minute; 0: no limit.
    double failures_per_minute = 60;
    double failures_burst = 30;
    // Addresses remembered for it; the longest idle one is forgotten first.
    std::size_t addresses_max = 10'000;

    // All that shows nothing, from all addresses together; 0: no limit.
    double requests_per_second = 1'000;
    double requests_burst = 2'000;
};

class AddressGuard {
public:
    // `clock` must outlive the guard. `listener` is the label of its metrics.
    AddressGuard(const GuardConfig& config, const Clock& clock, MetricsRegistry& metrics,
                 const std::string& listener = "public");

    // Each returns the 429 to give in place of the answer, or nothing.

    // A request of `address` that failed verification.
    [[nodiscard]] std::optional<Response> failed(std::string_view address);
    // One that does not get as far: for what is not there, or of a form that is not read.
    [[nodiscard]] std::optional<Response> stray();
    // One with a body larger than a delivery's, before that is read: of an address that is over its
    // limit, checking a signature over it is more than it is worth. Takes nothing.
    [[nodiscard]] std::optional<Response> large(std::string_view address);

private:
    std::optional<Response> refuse(prometheus::Counter& counter, std::chrono::milliseconds wait);

    const Clock& clock_;
    std::optional<RateLimiter> failures_;
    std::optional<RateLimiter> overall_;
    prometheus::Counter& by_address_;
    prometheus::Counter& by_overall_;
};

// 429 with Retry-After, in whole seconds, at least one.
[[nodiscard]] Response too_many_requests(std::chrono::milliseconds wait);

// rollcall_http_refused_total, by listener and reason.
[[nodiscard]] prometheus::Family<prometheus::Counter>& refusals(MetricsRegistry& metrics);

// The limiter of so many a second; none for 0.
[[nodiscard]] std::optional<RateLimiter> limiter(double per_second, double burst,
                                                 std::size_t keys_max);

}  // namespace rollcall::http
