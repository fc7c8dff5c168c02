// Which users a filter lets through and in which order they come. Pure.
#pragma once

#include "sim/clerk_store.hpp"

#include <vector>

namespace rollcall::sim {

[[nodiscard]] bool matches(const ClerkUser& user, const UserFilter& filter);
// Whether the filter is empty, so that nothing needs to be looked at.
[[nodiscard]] bool matches_all(const UserFilter& filter);

// Users without a value come last when ascending; ties are settled by arrival, in the same
// direction.
void sort_users(std::vector<const ClerkUser*>& users, UserOrder order, bool descending);

}  // namespace rollcall::sim
