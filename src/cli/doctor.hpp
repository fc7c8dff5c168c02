// The checks of `rollcall doctor`, each of which adds a finding. A check that cannot be made
// because an earlier one failed is left out.
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "cli/config.hpp"
#include "cli/finding.hpp"
#include "http/message.hpp"
#include "pg/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::cli {

// What needs no neighbour: the settings that a production service wants, the webhook secrets by a
// signature made and verified.
void check_settings(const Settings& settings, const Config& config, Findings& findings);

// This machine, as far as this process sees it: who may read the files with secrets, how many files
// may be open, and keys that do not belong to one another.
void check_machine(const Settings& settings, const Config& config, Findings& findings);

// The directory that webhooks wait in while the database is away: whether it can be written, what
// is in it, and whether the disk has room for what may come.
void check_spool(const Config& config, Findings& findings);

// Version, rights, clock, standbys, schema, users table, exposure, dead letters and age of the
// queue, open circuits. Whether the schema is there.
Task<bool> check_database(pg::Pool& pool, const Config& config, Findings& findings);

// Clerk answers, with this key, which is of the right kind; its clock. What the key opens; nothing
// when Clerk could not be asked.
Task<std::optional<clerk::Instance>> check_clerk(Executor executor, const Config& config,
                                                 Findings& findings);

// The last passes, and that the key is of the instance that the database was filled from. Needs the
// schema.
Task<> check_polling(pg::Pool& pool, const Config& config,
                     const std::optional<clerk::Instance>& instance, Findings& findings);

// Supabase Auth answers, with this key, which is of the right kind; its clock.
Task<> check_supabase(Executor executor, const Config& config, Findings& findings);

// Whether copies in Supabase Auth wait, were given up, or left out. Needs the schema.
Task<> check_mirror(pg::Pool& pool, const Config& config, Findings& findings);

// Finds whether this database role may do what the service does, and whether commits wait for a
// standby that is not there.
Task<> check_database_role(pg::Pool& pool, Findings& findings);
Task<> check_replication(pg::Pool& pool, Findings& findings);

// The keys of rollcall's own tokens: each is one, and each is followed in time. Needs the schema.
Task<> check_signing_keys(pg::Pool& pool, const Settings& settings, Findings& findings);

// What callers with a token, and those without one, reach in this database: policies that no Clerk
// id can match, tables and functions of the application that are open to everybody. Needs the
// schema.
Task<> check_row_access(pg::Pool& pool, const Config& config, Findings& findings);

// Where the gate answers somebody: its settings and policy, whose tokens count, and that the keys
// they are verified with can be had.
Task<> check_gate(Executor executor, const Settings& settings, const Config& config,
                  Findings& findings);

// A clock that is `offset` seconds from `whose`; it has whole seconds.
void check_offset(std::string check, std::string_view whose, std::int64_t offset,
                  Findings& findings);
// How many seconds the answer's Date is behind this machine's clock; nothing without one.
[[nodiscard]] std::optional<std::int64_t> date_offset(const http::Response& answer);

}  // namespace rollcall::cli
