// When a job that did not work out is tried again, or that it is given up. Pure.
#pragma once

#include "base/backoff.hpp"
#include "base/random.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace rollcall::jobs {

struct RetryPolicy {
    // Attempts that count; a job whose last one fails is FAILED, a dead letter.
    int attempts_max = 10;
    Backoff backoff{std::chrono::seconds(2), std::chrono::minutes(10)};
    // A neighbour that is away is nobody's fault: such tries do not count, until the job is
    // `outage_max` old; from then on they do, so that no job is tried for ever.
    Backoff outage{std::chrono::seconds(2), std::chrono::minutes(1)};
    std::chrono::milliseconds outage_max = std::chrono::hours(24);

    // The delay after `attempt` (1 is the first) failed; nothing: give up.
    [[nodiscard]] std::optional<std::chrono::milliseconds> next(int attempt, Random& random) const;

    // The delay after try number `tries` (1 is the first) that does not count.
    [[nodiscard]] std::chrono::milliseconds after_outage(std::int64_t tries, Random& random) const;

    // The same for a job with a limit of its own; 0: it has none.
    [[nodiscard]] RetryPolicy limited_to(int job_attempts_max) const;
};

}  // namespace rollcall::jobs
