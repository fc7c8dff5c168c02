#include "jobs/outcome.hpp"

#include <utility>

namespace rollcall::jobs {

Outcome resolve(Outcome outcome, const Job& job, const RetryPolicy& policy, Random& random) {
    auto* retry = std::get_if<Retry>(&outcome);
    if (retry == nullptr) return outcome;
    if (job.age > policy.outage_max) retry->burns_attempt = true;
    if (!retry->burns_attempt) {
        if (!retry->delay) retry->delay = policy.after_outage(job.fence, random);
        return outcome;
    }
    const auto delay = policy.limited_to(job.attempts_max).next(job.attempt, random);
    if (!delay) return Failed{std::move(retry->reason)};
    if (!retry->delay) retry->delay = delay;
    return outcome;
}

}  // namespace rollcall::jobs
