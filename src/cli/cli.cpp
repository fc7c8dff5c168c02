#include "cli/cli.hpp"

#include "base/log.hpp"
#include "cli/commands.hpp"
#include "cli/version.hpp"

#include <signal.h>
#include <CLI/CLI.hpp>

#include <fmt/format.h>

namespace rollcall::cli {

int run(int argc, char** argv) {
    // A peer that goes away is an error of that write, not the end of the program.
    signal(SIGPIPE, SIG_IGN);

    CLI::App app{
        "Keeps the users table of a PostgreSQL or Supabase database in step with Clerk.\n"
        "Settings: rollcall.toml documents each; `rollcall config print` shows those in force.\n"
        "Exit codes: 0 ok, 1 found something wrong, 2 usage, 69 upstream unavailable, "
        "75 try again, 78 bad configuration.",
        "rollcall"};
    app.set_version_flag("--version", std::string(version_line()));
    app.require_subcommand(1);
    app.fallthrough();

    Globals globals;
    app.add_option("--config", globals.config_file, "Configuration file (TOML)")
        ->envname("ROLLCALL_CONFIG")
        ->type_name("FILE");
    app.add_flag("--json", globals.json, "Print data as JSON");

    int exit_code = exit_ok;
    add_dev_command(app, globals, exit_code);
    add_serve_command(app, globals, exit_code);
    add_migrate_command(app, globals, exit_code);
    add_jobs_command(app, globals, exit_code);
    add_verify_command(app, globals, exit_code);
    add_doctor_command(app, globals, exit_code);
    add_sim_command(app, globals, exit_code);
    add_config_command(app, globals, exit_code);

    // CLI11 reports usage by exception only; this is the edge of the program.
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return code == 0 ? exit_ok : exit_usage;
    }
    return exit_code;
}

}  // namespace rollcall::cli
