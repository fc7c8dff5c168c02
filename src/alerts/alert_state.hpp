// Whether somebody is told of an alert. Pure: what is known of it, whether its condition is seen
// now, and the time, which is the database's. An incident begins when the condition is seen and
// ends when it has not been for `resolve_after`, so that flapping is one incident. One message says
// that it began, further ones after each cool-down that it goes on, the last one that it is over.
// An incident that begins within the cool-down of the last message waits for its end, and is never
// told of if it is over by then. A clock that was set back delays nothing.
#pragma once

#include "base/clock.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace rollcall::alerts {

struct AlertPolicy {
    std::chrono::milliseconds cooldown = std::chrono::hours(1);
    std::chrono::milliseconds resolve_after = std::chrono::minutes(5);
};

enum class Notice : std::uint8_t { none, firing, resolved };

// What is kept from one look to the next.
struct AlertState {
    bool firing = false;
    std::optional<SystemTime> since;         // of the incident that is on, or was the last
    std::optional<SystemTime> unseen_since;  // firing, and its condition is not seen any more
    std::optional<SystemTime> resolved_at;
    std::optional<SystemTime> announced_at;  // of the last firing message, of whatever incident
    Notice waiting = Notice::none;           // the message that is not delivered yet
    bool told = false;  // the last message that was tried, and may have arrived, said firing

    bool operator==(const AlertState&) const = default;
};

struct Verdict {
    enum class Turn : std::uint8_t { none, began, ended };
    AlertState state;
    Turn turn = Turn::none;
    bool message = false;  // state.waiting is a new one
};

// `seen_since`: the condition holds, since then.
[[nodiscard]] Verdict decide(AlertState state, std::optional<SystemTime> seen_since,
                             const AlertPolicy& policy, SystemTime now);

}  // namespace rollcall::alerts
