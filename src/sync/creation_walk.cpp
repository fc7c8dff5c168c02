#include "sync/creation_walk.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace rollcall::sync {
namespace {

// Whether Clerk's bounds are strict, and how it rounds, is not documented: a little more is asked
// for than a range has, and what belongs to others is left out.
constexpr std::int64_t margin_ms = 2;
// Users who share a millisecond are remembered until it is over; beyond this, nobody of that
// millisecond is looked for.
constexpr std::size_t same_time_max = 100'000;
constexpr int restarts_max = 5;  // from one place

}  // namespace

CreationWalk::CreationWalk(const Range& range, std::size_t page_users)
    : last_ms_(range.reached_ms) {
    query_.limit = page_users;
    // Stays as it is while the cursor is in use, as Clerk demands.
    if (range.until_ms) query_.filter.created_before_ms = *range.until_ms + margin_ms - 1;
    ask_from(range.reached_ms);
}

void CreationWalk::ask_from(std::int64_t ms) {
    query_.starting_after.clear();
    if (ms > margin_ms) query_.filter.created_after_ms = ms - margin_ms;
}

bool CreationWalk::restart() {
    if (query_.starting_after.empty() || ++restarts_ > restarts_max) return false;
    ask_from(last_ms_);
    return true;
}

bool CreationWalk::in_order(const std::vector<clerk::User>& listed) const {
    if (listed.size() > query_.limit) return false;
    if (!listed.empty() && listed.back().id == query_.starting_after) return false;
    std::int64_t before = last_ms_ - margin_ms;
    for (const clerk::User& user : listed) {
        if (user.created_at_ms < before) return false;
        before = user.created_at_ms;
    }
    return true;
}

Result<PageTurn> CreationWalk::turn(std::vector<clerk::User> listed, const Range& range) {
    if (!in_order(listed)) {
        return fail(ErrorCode::unavailable, "Clerk's list is not in the order of creation");
    }
    if (!listed.empty()) {
        last_ms_ = std::max(last_ms_, listed.back().created_at_ms);
        query_.starting_after = listed.back().id;
    }
    PageTurn out{.own = {}, .from_ms = range.reached_ms, .also = same_time_};
    out.over = listed.size() < query_.limit || (range.until_ms && last_ms_ >= *range.until_ms);
    out.until_ms = out.over ? range.until_ms : std::max(last_ms_, range.reached_ms);
    out.searchable = searchable_;

    std::unordered_set<std::string_view> known(out.also.begin(), out.also.end());
    std::vector<std::string> same_time;
    out.own.reserve(listed.size());
    for (clerk::User& user : listed) {
        if (user.created_at_ms < range.reached_ms) continue;
        if (range.until_ms && user.created_at_ms >= *range.until_ms) continue;
        if (known.contains(user.id)) continue;
        const clerk::User& own = out.own.emplace_back(std::move(user));
        known.insert(own.id);  // stays where it is: there is room for all
        if (out.until_ms && own.created_at_ms >= *out.until_ms) same_time.push_back(own.id);
    }
    const bool moved = out.over || *out.until_ms > range.reached_ms;
    if (moved) {
        out.users = std::ssize(out.also) + std::ssize(out.own) - std::ssize(same_time);
        same_time_ = std::move(same_time);
        searchable_ = true;
        restarts_ = 0;
    } else if (same_time_.size() + same_time.size() <= same_time_max) {
        std::ranges::move(same_time, std::back_inserter(same_time_));
    } else {
        searchable_ = false;
    }
    return out;
}

}  // namespace rollcall::sync
