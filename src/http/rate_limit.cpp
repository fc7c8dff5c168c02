#include "http/rate_limit.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

namespace rollcall::http {
namespace {

constexpr std::size_t key_bytes_max = 64;

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
        order_.push_front({.key = std::string(key), .bucket = TokenBucket(limit_, now)});
        found = buckets_.emplace(order_.front().key, order_.begin()).first;
    } else {
        order_.splice(order_.begin(), order_, found->second);
    }
    return found->second->bucket.take(limit_, now);
}

std::chrono::milliseconds RateLimiter::peek(std::string_view key, SteadyTime now) const {
    const auto found = buckets_.find(key);
    if (found == buckets_.end()) return std::chrono::milliseconds::zero();
    return found->second->bucket.peek(limit_, now);
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
