#include "sync/claim_cursor.hpp"

#include <algorithm>

namespace rollcall::sync {
namespace {

constexpr Duration look_interval_min = std::chrono::milliseconds(25);
// Looking, and the claim that follows from the head, take at most about 5 % of the time.
constexpr int look_cost_factor = 40;

}  // namespace

void ClaimCursor::looked(const std::vector<int>& priorities, Duration cost, SteadyTime now) {
    positions_.clear();
    for (const int priority : priorities) {
        directory::ClaimPosition head;
        head.priority = priority;
        positions_.push_back(head);
    }
    next_look_ = now + std::max(look_interval_min, cost * look_cost_factor);
}

void ClaimCursor::advance(const directory::ClaimPosition& last) {
    const auto at =
        std::ranges::find(positions_, last.priority, &directory::ClaimPosition::priority);
    // Of two lanes the one that comes home last may set the cursor back a batch; what it finds
    // there is finished, so that costs a little and loses nothing.
    if (at != positions_.end()) *at = last;
}

void ClaimCursor::exhausted(int priority) {
    std::erase_if(positions_, [priority](const directory::ClaimPosition& position) {
        return position.priority == priority;
    });
}

}  // namespace rollcall::sync
