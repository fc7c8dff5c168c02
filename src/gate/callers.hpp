// What is known of callers right now: user, role, deleted, banned, locked, session ended. Answers
// from memory what the database said less than `fresh_for` ago, so that whatever is committed, by
// whomever, counts within that time; asks for many callers in one statement, ahead of time for
// those who come often. A user who is verified but not in the table is fetched from Clerk, or
// waited for. While the database is away, what it said before counts for a bounded time and is not
// `confirmed`. Never throws; who cannot be judged is an error. docs/sessions.md. One event loop.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "directory/standings.hpp"
#include "gate/provisioning.hpp"
#include "gate/standing_verdict.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rollcall::gate {

struct CallersConfig {
    std::size_t entries_max = 100'000;  // callers remembered: a user in a session
    std::size_t batch_max = 1'000;      // of one statement
    std::size_t waiters_max = 10'000;   // callers that wait for the database
    // How old an answer may be. With the second of a revocation's way into the database, or the two
    // of a ban's, in mind.
    Duration fresh_for = std::chrono::milliseconds(750);
    Duration ahead_after = std::chrono::milliseconds(375);  // used again after that: asked anew
    Duration wait = std::chrono::seconds(1);                // of a caller, for the database
    // For how long what was known counts while the database is away, from when it was last
    // confirmed.
    Duration outage_max = std::chrono::minutes(1);
    // Between two questions then.
    Duration retry_after = std::chrono::milliseconds(250);
    // Without a secret key: how long a new user's webhook is waited for, how often it is looked.
    Duration webhook_wait = std::chrono::seconds(2);
    Duration webhook_look = std::chrono::milliseconds(200);
    ProvisioningConfig provisioning;
};

class Callers {
public:
    // directory::Standings::read over a pool whose limits are about `CallersConfig::wait`.
    using Read = std::function<Task<directory::StandingsRead>(
        std::span<const directory::StandingAsked> asked, bool with_sync_age)>;

    // `fetch` is empty where Clerk cannot be asked. `clock` and `registry` must outlive this; what
    // `read` and `fetch` refer to, too, up to stop().
    Callers(Executor executor, CallersConfig config, Read read, Provisioning::Fetch fetch,
            const Clock& clock, MetricsRegistry& registry);
    ~Callers();
    Callers(const Callers&) = delete;
    Callers& operator=(const Callers&) = delete;

    // Of a verified token: its `sub` and `sid`. unavailable: nothing is known and the database
    // cannot be asked, or too many wait. Who has no row when it returns is not in `standing`.
    Task<Result<Caller>> find(std::string clerk_id, std::string session_id);
    // The same at `now` where memory suffices, else nothing.
    std::optional<Caller> known(std::string_view clerk_id, std::string_view session_id,
                                SteadyTime now);

    // No more questions; true when the last has been answered within `limit`.
    Task<bool> stop(Duration limit);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace rollcall::gate
