// What `rollcall migrate` does about the users table, beside the numbered steps: creates it where
// it is absent, gives an adopted one what rollcall needs (a unique Clerk id, a place for
// deletions), makes the functions by which SQL knows its caller, and sets up row level security on
// a table it creates, or when asked. Looks first and does only what is missing, so it may run any
// number of times; no column is dropped or rewritten.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "directory/column_map.hpp"
#include "pg/pool.hpp"

#include <string>
#include <vector>

namespace rollcall::directory {

struct UsersTablePlan {
    struct Step {
        std::string what;  // for a person: "create table public.users"
        std::string sql;   // statements, ended by semicolons
    };
    std::vector<Step> steps;
    std::vector<std::string> notes;  // what a person should know; nothing is done about it
};

struct UsersTableOptions {
    // Row level security on an adopted table too; and own policies that somebody has changed are
    // made anew.
    bool with_rls = false;
};

// What is missing, as `ensure_users_table` would find it now. `bad_configuration` when the table
// cannot be used as it is: the message says which column, and what to do. Changes nothing.
Task<Result<UsersTablePlan>> plan_users_table(pg::Pool& pool, const ColumnMap& columns,
                                              UsersTableOptions options);

// Does it, in one transaction, and returns what was done. `forbidden` when the database role may
// not; safe to run from several processes at once.
Task<Result<UsersTablePlan>> ensure_users_table(pg::Pool& pool, const ColumnMap& columns,
                                                UsersTableOptions options);

}  // namespace rollcall::directory
