// Whether a request to Clerk is sent again, and when. Pure. Only what may pass by itself is: no
// answer, 429 and statuses from 500 on; never another refusal.
#pragma once

#include "base/random.hpp"
#include "http/upstream.hpp"

#include <chrono>
#include <optional>

namespace rollcall::clerk {

// How long a caller goes on about one call.
struct Patience {
    // In all: attempts, and the waits for the quota and between attempts. At least clerk.timeout.
    std::chrono::milliseconds total{0};
    int attempts_max = 3;  // that ended in a fault; waits as Clerk tells them do not count
    // Waits for an open circuit to be probed; else the call fails at once.
    bool outlasts_circuit = false;
};

// Of a call that somebody waits for; of a pass over all users, which is dear to begin again.
inline constexpr Patience prompt{};
inline constexpr Patience for_a_pass{
    .total = std::chrono::minutes(2), .attempts_max = 5, .outlasts_circuit = true};

struct Decision {
    bool again = false;
    http::RetryReason reason = http::RetryReason::no_answer;  // when again
    std::chrono::milliseconds wait{0};  // of this call, before it asks for its turn
    std::chrono::milliseconds hold{0};  // of every call: Clerk has said so
    bool counts = false;                // against attempts_max
};

// `faults` is how many attempts counted before this one, `left` what remains of the patience.
// Nothing when the attempt is an answer to be taken as it is.
[[nodiscard]] std::optional<Decision> decide(const http::Attempt& attempt, int faults,
                                             const Patience& patience,
                                             std::chrono::milliseconds left, Random& random);

}  // namespace rollcall::clerk
