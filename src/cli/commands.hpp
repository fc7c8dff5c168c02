// The commands, one file each: every `add_…_command` describes its flags to CLI11 and, when the
// user asked for it, runs and leaves its exit code.
#pragma once

#include "base/result.hpp"

#include <string>

namespace CLI {
class App;
}

namespace rollcall::cli {

inline constexpr int exit_ok = 0;
inline constexpr int exit_found = 1;  // found something wrong
inline constexpr int exit_usage = 2;
inline constexpr int exit_unavailable = 69;    // sysexits.h EX_UNAVAILABLE
inline constexpr int exit_try_again = 75;      // EX_TEMPFAIL
inline constexpr int exit_configuration = 78;  // EX_CONFIG

// What stands before or after any command.
struct Globals {
    std::string config_file;
    bool json = false;
};

// The exit code that stands for `error`, and the message on standard error.
int report(const Error& error);

void add_dev_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_serve_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_migrate_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_sync_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_audit_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_audit_log_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_jobs_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_deletions_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_users_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_verify_command(CLI::App& app, const Globals& globals, int& exit_code);
// Below `verify`.
void add_verify_token_command(CLI::App& verify, const Globals& globals, int& exit_code);
void add_doctor_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_health_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_sim_command(CLI::App& app, const Globals& globals, int& exit_code);
void add_config_command(CLI::App& app, const Globals& globals, int& exit_code);

}  // namespace rollcall::cli
