// Whether what is known of a caller is enough for a rule. Pure. docs/sessions.md has the reasons.
#pragma once

#include "base/task.hpp"
#include "directory/standings.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace rollcall::gate {

// What is known of a caller at the moment of the decision.
struct Caller {
    directory::Standing standing;
    // False: the database cannot be asked now, and this is what it said before. It is never enough
    // for an admin rule.
    bool confirmed = true;
    // How old what the users table says may be by now: rollcall.sync_age(), and the time since that
    // was asked. Nothing: it is not known.
    std::optional<Duration> sync_age;
};

struct Demand {
    bool admin = false;                     // the role in the users table, never a claim
    std::optional<Duration> max_staleness;  // the rule's
};

// Stable names, of metrics, logs and answers. A locked user is user_banned: Clerk refuses both.
enum class StandingRefusal : std::uint8_t {
    user_deleted,
    user_unknown,
    session_revoked,
    user_banned,
    policy_error,  // it cannot be judged now
    not_admin,
    sync_stale,
};
[[nodiscard]] std::string_view to_string(StandingRefusal refusal);

// The first that applies, in the order above; nothing: allowed.
[[nodiscard]] std::optional<StandingRefusal> judge_standing(const Caller& caller,
                                                            const Demand& demand);

}  // namespace rollcall::gate
