// Clerk's rate limits of the Backend API: so many requests in ten seconds for the instance, and ten
// changes in ten seconds for a user. Over the limit everything is refused until the window ends.
// Pure: time is passed in.
#pragma once

#include "base/clock.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace rollcall::sim {

struct ApiRateLimit {
    std::uint32_t per_instance = 0;  // 0: no limit at all. Clerk: 100 with test keys, 1000 live
    std::uint32_t per_user = 10;     // changes of one user or of its metadata
};

class ApiRateLimiter {
public:
    explicit ApiRateLimiter(ApiRateLimit limit) : limit_(limit) {}

    // Counts a request; `changed_user` is the user whom it changes, or "". Zero: allowed, else the
    // value of Retry-After.
    [[nodiscard]] std::chrono::seconds take(std::string_view changed_user, SteadyTime now);

    [[nodiscard]] std::uint64_t refused() const { return refused_; }

private:
    static constexpr std::chrono::seconds window{10};

    ApiRateLimit limit_;
    SteadyTime window_end_{};
    std::uint32_t requests_ = 0;
    std::unordered_map<std::string, std::uint32_t> changes_;  // of this window
    std::uint64_t refused_ = 0;
};

}  // namespace rollcall::sim
