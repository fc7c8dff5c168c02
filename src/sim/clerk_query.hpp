// Query strings of the simulated Backend API: decoded pairs, and what GET /users and
// GET /users/count make of them. Pure.
#pragma once

#include "sim/clerk_error.hpp"
#include "sim/clerk_store.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::sim {

// `%41` and `+` decoded, keys repeated as they came; a `[]` after a key is dropped, since some
// clients write arrays so.
class QueryPairs {
public:
    explicit QueryPairs(std::string_view query);
    [[nodiscard]] std::string get(std::string_view name) const;  // the first; "" when absent
    [[nodiscard]] bool has(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> all(std::string_view name) const;

private:
    std::vector<std::pair<std::string, std::string>> pairs_;
};

[[nodiscard]] std::expected<UserFilter, ClerkError> parse_user_filter(const QueryPairs& pairs);

// With order and paging. Clerk's rules: `limit` over 500 gives 10 rows, starting_after only with
// created_at and without an offset. Unknown parameters are ignored.
[[nodiscard]] std::expected<UserQuery, ClerkError> parse_user_query(const QueryPairs& pairs);

}  // namespace rollcall::sim
