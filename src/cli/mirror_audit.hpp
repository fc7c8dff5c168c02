// `rollcall audit --mirror`: whether Supabase Auth equals the users table, and where not.
#pragma once

#include "cli/commands.hpp"

#include <cstddef>

namespace rollcall::cli {

// Writes nothing but what it sees, for as long as it looks. The exit code: 0 equal, 1 different or
// not to be told, 69 Supabase or the database out of reach, 75 another comparison is under way, 78
// no or wrong settings.
int audit_mirror(const Globals& globals, std::size_t limit);

}  // namespace rollcall::cli
