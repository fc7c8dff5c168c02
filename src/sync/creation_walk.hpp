// One worker's way through its range of a complete pass, page by page in the order of creation:
// what to ask for next, which of the listed users are the range's own, and from when to when the
// list is whole by now, so that who is missing there can be told. Pure.
#pragma once

#include "base/result.hpp"
#include "clerk/user.hpp"
#include "clerk/user_query.hpp"
#include "sync/range_plan.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::sync {

// What a page comes to.
struct PageTurn {
    std::vector<clerk::User> own;  // each once, over all pages
    // Listed whole: from, and until, not included; absent: to the end of time. All of its users
    // are among `own` and `also`.
    std::int64_t from_ms = 0;
    std::optional<std::int64_t> until_ms{};
    std::vector<std::string> also{};
    bool searchable = true;  // false: too many share a millisecond to tell who is missing
    std::int64_t users = 0;  // of the range until then, beyond what was counted before
    bool over = false;       // nothing of the range is left
};

class CreationWalk {
public:
    // Begins where `range` has been reached.
    CreationWalk(const Range& range, std::size_t page_users);

    [[nodiscard]] const clerk::UserQuery& query() const { return query_; }
    // Works out the page that query() asked for, and moves on. `range` is the walk's own as it is
    // now; its end may have come nearer. unavailable: the list is not in order.
    [[nodiscard]] Result<PageTurn> turn(std::vector<clerk::User> listed, const Range& range);
    // Clerk does not take the cursor, its user was deleted: query() now begins again from the
    // millisecond that was reached. False when that has happened too often.
    [[nodiscard]] bool restart();

private:
    void ask_from(std::int64_t ms);
    [[nodiscard]] bool in_order(const std::vector<clerk::User>& listed) const;

    clerk::UserQuery query_;
    std::int64_t last_ms_;  // of the last user listed
    int restarts_ = 0;
    // Users created at the time that is reached: the next page may have more of them.
    std::vector<std::string> same_time_;
    bool searchable_ = true;
};

}  // namespace rollcall::sync
