// `rollcall verify policy`: says whether a policy file is sound, which rule decides a request, and
// where the file and an application differ.
#pragma once

#include "cli/commands.hpp"

namespace rollcall::cli {

void add_verify_policy_command(CLI::App& verify, const Globals& globals, int& exit_code);

}  // namespace rollcall::cli
