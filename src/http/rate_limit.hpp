// Token buckets in bounded memory, one for each key (a client's address). When full, the bucket
// that was idle longest makes room. Pure: time is passed in.
#pragma once

#include "base/clock.hpp"
#include "http/token_bucket.hpp"

#include <chrono>
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace rollcall::http {

class RateLimiter {
public:
    RateLimiter(RateLimit limit, std::size_t keys_max);

    // Takes one token. Zero: allowed. Else how long until one is there.
    [[nodiscard]] std::chrono::milliseconds take(std::string_view key, SteadyTime now);
    // What `take` would say, without taking.
    [[nodiscard]] std::chrono::milliseconds peek(std::string_view key, SteadyTime now) const;

    [[nodiscard]] std::size_t size() const { return buckets_.size(); }

private:
    struct Entry {
        std::string key;
        TokenBucket bucket;
    };
    RateLimit limit_;
    std::size_t keys_max_;
    std::list<Entry> order_;  // most recently used first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> buckets_;
};

// The key for an address: IPv4 whole, IPv6 by its /64, which one customer holds.
[[nodiscard]] std::string rate_limit_key(std::string_view address);

}  // namespace rollcall::http
