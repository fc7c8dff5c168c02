#include "http/token_bucket.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace rollcall::http {
namespace {

constexpr std::chrono::milliseconds longest_wait = std::chrono::hours(1);
// What sums of fractions may be off by: far less than any wait.
constexpr double tolerance = 1e-6;

double seconds(SteadyTime::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

// Of a full bucket B, refilled with r a second, at most B + ceil(r * W) - 1 are taken within W.
RateLimit limit_in_any(std::chrono::seconds window, double amount) {
    ensure(window.count() > 0 && amount >= 1, "rate limit: at least one in a window");
    const double whole = std::floor(amount);
    const double burst = std::max(1.0, std::floor(whole / 10));
    return {.per_second = (whole - burst + 1) / static_cast<double>(window.count()),
            .burst = burst};
}

TokenBucket::TokenBucket(const RateLimit& limit, SteadyTime now) : tokens_(limit.burst), at_(now) {
    ensure(limit.per_second > 0 && limit.burst >= 1, "rate limit: refill above 0, burst from 1");
}

double TokenBucket::refilled(const RateLimit& limit, SteadyTime now) const {
    const double elapsed = std::max(0.0, seconds(now - at_));
    return std::min(limit.burst, tokens_ + elapsed * limit.per_second);
}

double TokenBucket::left(const RateLimit& limit, SteadyTime now) const {
    return now < held_until_ ? 0 : refilled(limit, now);
}

std::chrono::milliseconds TokenBucket::peek(const RateLimit& limit, SteadyTime now) const {
    const double held = std::max(0.0, seconds(held_until_ - now));
    const double missing = 1 - refilled(limit, now);
    if (held == 0 && missing <= tolerance) return std::chrono::milliseconds::zero();
    const double wait = held + std::max(0.0, missing) / limit.per_second;
    if (!(wait < std::chrono::duration<double>(longest_wait).count())) return longest_wait;
    return std::chrono::milliseconds(
        std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(wait * 1000 - tolerance))));
}

std::chrono::milliseconds TokenBucket::take(const RateLimit& limit, SteadyTime now) {
    const auto wait = peek(limit, now);
    if (wait == std::chrono::milliseconds::zero()) {
        tokens_ = std::max(0.0, refilled(limit, now) - 1);
        at_ = std::max(at_, now);
    }
    return wait;
}

void TokenBucket::hold_until(const RateLimit& limit, SteadyTime until) {
    if (until <= held_until_) return;
    tokens_ = std::min(1.0, refilled(limit, until));
    at_ = std::max(at_, until);
    held_until_ = until;
}

}  // namespace rollcall::http
