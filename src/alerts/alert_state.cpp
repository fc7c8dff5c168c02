#include "alerts/alert_state.hpp"

#include <algorithm>

namespace rollcall::alerts {
namespace {

// Whether `limit` has passed since `start`. A start that is still to come was another clock's.
bool passed(SystemTime start, std::chrono::milliseconds limit, SystemTime now) {
    return start > now || now - start >= limit;
}

void seen(Verdict& verdict, SystemTime since, const AlertPolicy& policy, SystemTime now) {
    AlertState& state = verdict.state;
    state.unseen_since.reset();
    if (!state.firing) {
        verdict.turn = Verdict::Turn::began;
        state.firing = true;
        state.since = std::min(since, now);
        state.resolved_at.reset();
        state.waiting = Notice::none;  // that the last incident is over is no news any more
    }
    if (state.waiting == Notice::firing) return;
    if (state.announced_at && !passed(*state.announced_at, policy.cooldown, now)) return;
    verdict.message = true;
    state.waiting = Notice::firing;
    state.announced_at = now;
}

void unseen(Verdict& verdict, const AlertPolicy& policy, SystemTime now) {
    AlertState& state = verdict.state;
    if (!state.firing) return;
    if (!state.unseen_since || *state.unseen_since > now) state.unseen_since = now;
    if (now - *state.unseen_since < policy.resolve_after) return;
    verdict.turn = Verdict::Turn::ended;
    verdict.message = state.told;
    state.firing = false;
    state.unseen_since.reset();
    state.resolved_at = now;
    state.waiting = state.told ? Notice::resolved : Notice::none;
}

}  // namespace

Verdict decide(AlertState state, std::optional<SystemTime> seen_since, const AlertPolicy& policy,
               SystemTime now) {
    Verdict verdict{.state = state};
    if (seen_since) {
        seen(verdict, *seen_since, policy, now);
    } else {
        unseen(verdict, policy, now);
    }
    return verdict;
}

}  // namespace rollcall::alerts
