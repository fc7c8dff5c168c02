// The checks of `rollcall doctor`, each of which adds a finding. A check that cannot be made
// because an earlier one failed is left out.
#pragma once

#include "base/task.hpp"
#include "cli/config.hpp"
#include "cli/finding.hpp"
#include "pg/pool.hpp"

namespace rollcall::cli {

// What needs no neighbour: the settings that a production service wants, the webhook secrets by a
// signature made and verified.
void check_settings(const Settings& settings, const Config& config, Findings& findings);

// Version, rights, clock, schema, users table, exposure, dead letters and age of the queue.
Task<> check_database(pg::Pool& pool, const Config& config, Findings& findings);

// Clerk answers, with this key.
Task<> check_clerk(Executor executor, const Config& config, Findings& findings);

}  // namespace rollcall::cli
