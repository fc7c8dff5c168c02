#include "jobs/retry_policy.hpp"

#include "base/result.hpp"

#include <algorithm>

namespace rollcall::jobs {

std::optional<std::chrono::milliseconds> RetryPolicy::next(int attempt, Random& random) const {
    ensure(attempt >= 1, "retry: attempts count from 1");
    if (attempt >= attempts_max) return std::nullopt;
    return backoff_delay(backoff, attempt - 1, random);
}

std::chrono::milliseconds RetryPolicy::after_outage(std::int64_t tries, Random& random) const {
    // The ceiling is reached long before.
    const auto doublings = std::clamp<std::int64_t>(tries - 1, 0, 60);
    return backoff_delay(outage, static_cast<int>(doublings), random);
}

RetryPolicy RetryPolicy::limited_to(int job_attempts_max) const {
    RetryPolicy policy = *this;
    if (job_attempts_max > 0) policy.attempts_max = job_attempts_max;
    return policy;
}

}  // namespace rollcall::jobs
