// How one attempt at a job ended, and what follows from it. Pure.
#pragma once

#include "base/random.hpp"
#include "jobs/job.hpp"
#include "jobs/retry_policy.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <variant>

namespace rollcall::jobs {

struct Completed {
    std::string result_json = "{}";
};
struct Retry {
    std::string reason;                              // stands in `error`: no personal data
    std::optional<std::chrono::milliseconds> delay;  // absent: by the retry policy
    bool burns_attempt = true;
};
struct Failed {
    std::string reason;
};
using Outcome = std::variant<Completed, Retry, Failed>;

// What is recorded: a Retry gets its delay, or becomes Failed after the last attempt; one that
// burns no attempt does burn it once the job is older than `policy.outage_max`.
[[nodiscard]] Outcome resolve(Outcome outcome, const Job& job, const RetryPolicy& policy,
                              Random& random);

}  // namespace rollcall::jobs
