// Lets calls go at the rate of a token bucket, first come, first served, so that one instance's
// calls together keep to a quota. What an upstream says about waiting (Retry-After) holds all of
// them. One event loop; a call that is cancelled leaves the line and takes nothing.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "http/token_bucket.hpp"

#include <cstddef>
#include <functional>
#include <memory>

namespace rollcall::http {

class Pacer {
public:
    Pacer(Executor executor, RateLimit limit, std::size_t waiting_max = 1024);
    Pacer(const Pacer&) = delete;
    Pacer& operator=(const Pacer&) = delete;

    // Returns when the caller's turn has come. rate_limited, with nothing taken, as soon as it is
    // known that this would be after `deadline`, or when too many wait already.
    Task<Result<void>> turn(SteadyTime deadline);

    // Nobody goes before `until`, not those either who wait already.
    void hold_until(SteadyTime until);

    [[nodiscard]] std::size_t waiting() const;

    // Tells how many calls could go at once; it may outlive the pacer.
    [[nodiscard]] std::function<double()> gauge() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace rollcall::http
