// Who may do what with the users table: row level security, two policies, and privileges. A user
// reads the own row and changes those columns of it that the settings name, no others. Both are
// compared with what they should be each time: a column that became writable by other ways is
// closed again, and policies made under other settings, or by an earlier release, are replaced; but
// not those that somebody has changed since, unless asked. Pure.
#pragma once

#include "base/result.hpp"
#include "directory/column_map.hpp"
#include "directory/users_table.hpp"
#include "directory/users_table_sql.hpp"

namespace rollcall::directory {

// Whether access to an existing table is rollcall's to keep without being asked: it made the
// policies, or it made the table and could not make them yet.
[[nodiscard]] bool keeps_row_access(const UsersTableFacts& facts);

// Adds the steps that are missing, to a table that exists or is about to be created.
// bad_configuration when the settings would let users choose their role.
[[nodiscard]] Result<void> add_row_access(UsersTablePlan& plan, const UsersTableFacts& facts,
                                          const ColumnMap& columns, UsersTableOptions options);

}  // namespace rollcall::directory
