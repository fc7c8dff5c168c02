#include "clerk/retry_decision.hpp"

#include "base/backoff.hpp"
#include "http/answer.hpp"

#include <algorithm>

namespace rollcall::clerk {
namespace {

using http::RetryReason;
using std::chrono::milliseconds;

constexpr Backoff backoff{.base = milliseconds(500), .max = milliseconds(10'000)};
constexpr unsigned too_many_requests = 429;
constexpr unsigned unavailable = 503;
// However little it says: a tenth of Clerk's window.
constexpr std::chrono::seconds least_hold{1};

// A little more than was asked for, so that several instances do not come back at once.
milliseconds jittered(milliseconds wait, Random& random) {
    return wait + milliseconds(random.between(0, wait.count() / 10));
}

}  // namespace

std::optional<Decision> decide(const http::Attempt& attempt, int faults, const Patience& patience,
                               milliseconds left, Random& random) {
    Decision out;
    if (!attempt.sent) {
        out.reason = RetryReason::circuit_open;
        out.counts = true;
        out.wait = jittered(attempt.wait, random);
        out.again = patience.outlasts_circuit;
    } else if (!attempt.response) {
        out.reason = RetryReason::no_answer;
        out.counts = true;
        out.wait = backoff_delay(backoff, faults, random);
        out.again = true;
    } else {
        const unsigned status = attempt.response->status;
        const bool limited = status == too_many_requests;
        if (!limited && status < 500) return std::nullopt;
        const auto told = retry_after(*attempt.response);
        out.reason = limited ? RetryReason::rate_limited : RetryReason::server_error;
        out.counts = !limited;
        out.again = true;
        if (limited || (told && status == unavailable)) {
            out.hold = jittered(std::max(told.value_or(least_hold), least_hold), random);
        } else {
            out.wait = backoff_delay(backoff, faults, random);
        }
    }
    if (out.counts && faults + 1 >= patience.attempts_max) out.again = false;
    if (std::max(out.wait, out.hold) >= left) out.again = false;
    return out;
}

}  // namespace rollcall::clerk
