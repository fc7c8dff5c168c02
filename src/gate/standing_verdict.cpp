#include "gate/standing_verdict.hpp"

#include <array>
#include <cstddef>

namespace rollcall::gate {
namespace {

constexpr std::string_view admin_role = "admin";
constexpr std::array<std::string_view, 7> names{"user_deleted", "user_unknown", "session_revoked",
                                                "user_banned",  "policy_error", "not_admin",
                                                "sync_stale"};

bool stale(const Caller& caller, const std::optional<Duration>& max_staleness) {
    return max_staleness && (!caller.sync_age || *caller.sync_age > *max_staleness);
}

}  // namespace

std::string_view to_string(StandingRefusal refusal) {
    return names.at(static_cast<std::size_t>(refusal));
}

std::optional<StandingRefusal> judge_standing(const Caller& caller, const Demand& demand) {
    const directory::Standing& standing = caller.standing;
    if (standing.deleted) return StandingRefusal::user_deleted;
    if (standing.user_id.empty()) return StandingRefusal::user_unknown;
    if (standing.revoked_for) return StandingRefusal::session_revoked;
    if (standing.banned || standing.locked) return StandingRefusal::user_banned;
    if (demand.admin && !caller.confirmed) return StandingRefusal::policy_error;
    if (demand.admin && standing.role != admin_role) return StandingRefusal::not_admin;
    if (stale(caller, demand.max_staleness)) return StandingRefusal::sync_stale;
    return std::nullopt;
}

}  // namespace rollcall::gate
