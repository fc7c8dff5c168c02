// Exponential backoff with full jitter: a uniformly random delay below base * 2^attempt, capped.
// Full jitter spreads a herd of retries best (AWS Architecture Blog, "Exponential Backoff And
// Jitter").
#pragma once

#include "base/random.hpp"

#include <chrono>

namespace rollcall {

struct Backoff {
    std::chrono::milliseconds base{500};
    std::chrono::milliseconds max{60'000};
};

// The longest delay before try number `attempt` (0 is the first retry): min(max, base * 2^attempt),
// without overflow for any attempt >= 0.
[[nodiscard]] std::chrono::milliseconds backoff_ceiling(const Backoff& backoff, int attempt);

// Uniform in [1 ms, backoff_ceiling].
[[nodiscard]] std::chrono::milliseconds backoff_delay(const Backoff& backoff, int attempt,
                                                      Random& random);

}  // namespace rollcall
