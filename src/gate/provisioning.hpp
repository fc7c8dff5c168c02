// Users who are verified but not in the table yet: each is fetched from Clerk once, whoever asks
// how often, so many at a time. What came of it is remembered for some seconds, so that a caller
// who keeps asking costs nothing. One event loop.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/task.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace rollcall::gate {

struct ProvisioningConfig {
    std::size_t at_once = 8;                  // being fetched
    std::size_t users_max = 1'000;            // being fetched, or waiting for their turn
    std::size_t waiters_max = 10'000;         // callers that wait for one of them
    Duration wait = std::chrono::seconds(5);  // of a caller; at most clerk.timeout
    Duration remembered_for = std::chrono::seconds(5);
    std::size_t recent_max = 10'000;  // users remembered
};

enum class Provisioned : std::uint8_t {
    done,        // Clerk was asked, and the table has what it said
    failed,      // it could not be, or not in time
    remembered,  // it came to nothing a moment ago
    limited,     // too many already
};

class Provisioning {
public:
    // Fetches one user and applies what Clerk says; false when it could not. May throw.
    using Fetch = std::function<Task<bool>(std::string clerk_id)>;

    // `clock` and `registry` must outlive this, and what `fetch` refers to the event loop's run.
    Provisioning(Executor executor, ProvisioningConfig config, Fetch fetch, const Clock& clock,
                 MetricsRegistry& registry);
    ~Provisioning();
    Provisioning(const Provisioning&) = delete;
    Provisioning& operator=(const Provisioning&) = delete;

    // Never throws.
    Task<Provisioned> user(std::string clerk_id);
    // The same for who does not wait.
    void begin(const std::string& clerk_id);
    // There is no such user, however it was done.
    void refuse(const std::string& clerk_id);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace rollcall::gate
