// The whole of a migration: the numbered steps, then the users table. For `rollcall migrate` and
// for `rollcall dev`.
#pragma once

#include "base/actor.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "cli/migrations.hpp"
#include "directory/users_table.hpp"
#include "pg/migrator.hpp"
#include "pg/pool.hpp"

#include <string>
#include <vector>

namespace rollcall::cli {

struct MigrateOutcome {
    std::vector<std::string> steps;            // names of the numbered steps
    std::vector<std::string> users_table;      // what was (or would be) done about the users table
    std::vector<std::string> users_table_sql;  // of a dry run
    std::vector<std::string> notes;
};

// With `dry_run` nothing changes. What was applied is told in the audit log.
Task<Result<MigrateOutcome>> run_migrations(pg::Pool& pool, const directory::ColumnMap& columns,
                                            directory::UsersTableOptions options, bool dry_run,
                                            const Actor& by = {});

}  // namespace rollcall::cli
