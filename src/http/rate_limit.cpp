#include "http/rate_limit.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cmath>

namespace rollcall::http {
namespace {

constexpr std::chrono::milliseconds longest_wait = std::chrono::hours(1);
constexpr std::size_t key_bytes_max = 64;
// What sums of fractions may be off by: far less than any wait.
constexpr double tolerance = 1e-6;

double refilled(const RateLimit& limit, double tokens, SteadyTime at, SteadyTime now) {
    const double elapsed = std::chrono::duration<double>(now - at).count();
    return std::min(limit.burst, tokens + std::max(0.0, elapsed) * limit.per_second);
}

std::chrono::milliseconds until_one(const RateLimit& limit, double tokens) {
    if (tokens >= 1 - tolerance) return std::chrono::milliseconds::zero();
    const double seconds = (1 - tokens) / limit.per_second;
    if (!(seconds < std::chrono::duration<double>(longest_wait).count())) return longest_wait;
    return std::chrono::milliseconds(std::max<std::int64_t>(
        1, static_cast<std::int64_t>(std::ceil(seconds * 1000 - tolerance))));
}

}  // namespace

RateLimiter::RateLimiter(RateLimit limit, std::size_t keys_max)
    : limit_(limit), keys_max_(keys_max) {
    ensure(limit.per_second > 0 && limit.burst >= 1, "rate limit: refill above 0, burst from 1");
    ensure(keys_max > 0, "rate limit: room for a key");
}

std::chrono::milliseconds RateLimiter::take(std::string_view key, SteadyTime now) {
    auto found = buckets_.find(key);
    if (found == buckets_.end()) {
        if (order_.size() >= keys_max_) {
            buckets_.erase(order_.back().key);
            order_.pop_back();
        }
        order_.push_front({.key = std::string(key), .tokens = limit_.burst, .at = now});
        found = buckets_.emplace(order_.front().key, order_.begin()).first;
    } else {
        order_.splice(order_.begin(), order_, found->second);
    }
    Bucket& bucket = *found->second;
    bucket.tokens = refilled(limit_, bucket.tokens, bucket.at, now);
    bucket.at = std::max(bucket.at, now);
    const auto wait = until_one(limit_, bucket.tokens);
    if (wait == std::chrono::milliseconds::zero()) bucket.tokens = std::max(0.0, bucket.tokens - 1);
    return wait;
}

std::chrono::milliseconds RateLimiter::peek(std::string_view key, SteadyTime now) const {
    const auto found = buckets_.find(key);
    if (found == buckets_.end()) return std::chrono::milliseconds::zero();
    const Bucket& bucket = *found->second;
    return until_one(limit_, refilled(limit_, bucket.tokens, bucket.at, now));
}

std::string rate_limit_key(std::string_view address) {
    boost::system::error_code error;
    const auto parsed = boost::asio::ip::make_address(address, error);
    if (error) return std::string(address.substr(0, key_bytes_max));
    if (parsed.is_v4()) return parsed.to_string();
    const auto v6 = parsed.to_v6();
    if (v6.is_v4_mapped()) {
        return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6).to_string();
    }
    auto bytes = v6.to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return boost::asio::ip::address_v6(bytes).to_string() + "/64";
}

}  // namespace rollcall::http
