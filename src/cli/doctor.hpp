// The checks of `rollcall doctor`, each of which adds a finding. A check that cannot be made
// because an earlier one failed is left out.
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "cli/config.hpp"
#include "cli/finding.hpp"
#include "pg/pool.hpp"

#include <optional>

namespace rollcall::cli {

// What needs no neighbour: the settings that a production service wants, the webhook secrets by a
// signature made and verified.
void check_settings(const Settings& settings, const Config& config, Findings& findings);

// Version, rights, clock, schema, users table, exposure, dead letters and age of the queue. Whether
// the schema is there.
Task<bool> check_database(pg::Pool& pool, const Config& config, Findings& findings);

// Clerk answers, with this key, which is of the right kind; its clock. What the key opens; nothing
// when Clerk could not be asked.
Task<std::optional<clerk::Instance>> check_clerk(Executor executor, const Config& config,
                                                 Findings& findings);

// The last passes, and that the key is of the instance that the database was filled from. Needs the
// schema.
Task<> check_polling(pg::Pool& pool, const Config& config,
                     const std::optional<clerk::Instance>& instance, Findings& findings);

}  // namespace rollcall::cli
