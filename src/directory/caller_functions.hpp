// The functions by which SQL knows its caller: rollcall.user_id(), the internal id, and
// rollcall.clerk_id(). Made from the settings, since the users table and its columns may have any
// names; `rollcall migrate` makes them, and anew when they are not as they should be. Pure.
#pragma once

#include "directory/column_map.hpp"
#include "directory/users_table.hpp"
#include "directory/users_table_sql.hpp"

#include <optional>

namespace rollcall::directory {

// The step that makes both, for a table that exists or is about to be created; nothing when they
// are there as it would make them. Callers who are nobody, or whose user is deleted, banned or
// locked, get NULL; claims of any form raise no error. docs/rls.md has the whole.
[[nodiscard]] std::optional<UsersTablePlan::Step> caller_functions_step(
    const UsersTableFacts& facts, const ColumnMap& columns);

}  // namespace rollcall::directory
