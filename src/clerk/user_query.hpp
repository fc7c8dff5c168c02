// Which users are asked for, and in which order: the parameters of GET /users and /users/count that
// rollcall uses. Clerk has no filter on updated_at. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::clerk {

inline constexpr std::size_t page_users_max = 500;  // Clerk's own limit; above it, it falls to 10
inline constexpr std::size_t filter_ids_max = 100;

struct UserFilter {
    std::optional<std::int64_t> created_after_ms;   // later than this
    std::optional<std::int64_t> created_before_ms;  // earlier than this
    std::vector<std::string> ids;                   // these only, at most filter_ids_max; or all
};

enum class UserOrder : std::uint8_t { created, created_newest, updated, updated_newest };

struct UserQuery {
    UserFilter filter;
    UserOrder order = UserOrder::created;
    std::size_t limit = page_users_max;
    // The last id of the page before; "" from the start. Only in an order by creation. Steady while
    // users come and go, which `offset` is not.
    std::string starting_after;
    std::size_t offset = 0;  // not with starting_after; slow when large
};

// The query parts of the URLs, without the question mark. What Clerk would refuse (a limit of 0 or
// above the maximum, a cursor in an order by update or with an offset, too many ids) is a bug.
[[nodiscard]] std::string query_string(const UserFilter& filter);
[[nodiscard]] std::string query_string(const UserQuery& query);

}  // namespace rollcall::clerk
