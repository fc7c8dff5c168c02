// A token bucket: so many at once, so many a second. Pure: time is passed in; one that goes
// back refills nothing. Pacer lets calls wait for it; RateLimiter keeps one for each address.
#pragma once

#include "base/clock.hpp"

#include <chrono>

namespace rollcall::http {

struct RateLimit {
    double per_second = 1;  // refill
    double burst = 10;      // capacity
};

// The limit that never lets more than `amount` through in any span of `window`, wherever it
// begins; a tenth of them may go at once. `amount` is at least 1.
[[nodiscard]] RateLimit limit_in_any(std::chrono::seconds window, double amount);

class TokenBucket {
public:
    // Full at `now`.
    TokenBucket(const RateLimit& limit, SteadyTime now);

    // Takes one token. Zero: taken. Else nothing was, and one may be there after that long; an hour
    // at most, so ask again then.
    [[nodiscard]] std::chrono::milliseconds take(const RateLimit& limit, SteadyTime now);
    // What `take` would say, without taking.
    [[nodiscard]] std::chrono::milliseconds peek(const RateLimit& limit, SteadyTime now) const;

    // How many `take` would let through now, one after the other; a part of one counts as a part.
    [[nodiscard]] double left(const RateLimit& limit, SteadyTime now) const;

    // Nothing before `until`, and then one by one at the rate of the refill: what was held up must
    // not come in a burst. An earlier time than one that was already given changes nothing.
    void hold_until(const RateLimit& limit, SteadyTime until);

private:
    [[nodiscard]] double refilled(const RateLimit& limit, SteadyTime now) const;

    double tokens_;
    SteadyTime at_;  // when `tokens_` was right; ahead of the time while held
    SteadyTime held_until_{};
};

}  // namespace rollcall::http
