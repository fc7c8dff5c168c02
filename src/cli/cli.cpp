#include "cli/cli.hpp"

#include "base/log.hpp"
#include "base/nearest.hpp"
#include "cli/commands.hpp"
#include "cli/version.hpp"

#include <signal.h>
#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::cli {
namespace {

// The word that stands where a command should; CLI11 says only that one is missing.
std::optional<std::string> unknown_command(const CLI::App& app) {
    const CLI::App* at = &app;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
    const std::vector<std::string> words = app.remaining(/*recurse=*/true);
    if (at->get_require_subcommand_min() == 0 || words.empty() || words[0].starts_with('-')) {
        return std::nullopt;
    }
    std::vector<std::string> known;
    for (const CLI::App* command : at->get_subcommands([](const CLI::App*) { return true; })) {
        known.push_back(command->get_name());
    }
    const auto meant = nearest(words[0], known);
    return fmt::format("no such command: `{}`{}", words[0],
                       meant ? fmt::format(", did you mean `{}`?", *meant) : ".");
}

// An empty word is a variable that has no value. Taken for nothing, it would widen what a command
// does: `jobs cancel --reason ""`. What `verify` is to judge may be empty.
void refuse_empty_words(CLI::App& command) {
    if (command.get_name() == "verify") return;
    for (CLI::Option* option : command.get_options()) {
        if (option->get_items_expected_max() == 0) continue;  // a flag
        option->check([](const std::string& word) {
            return word.empty() ? std::string("must not be empty") : std::string();
        });
    }
    for (CLI::App* part : command.get_subcommands([](const CLI::App*) { return true; })) {
        refuse_empty_words(*part);
    }
}

}  // namespace

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
    add_sync_command(app, globals, exit_code);
    add_audit_command(app, globals, exit_code);
    add_audit_log_command(app, globals, exit_code);
    add_jobs_command(app, globals, exit_code);
    add_deletions_command(app, globals, exit_code);
    add_users_command(app, globals, exit_code);
    add_verify_command(app, globals, exit_code);
    add_doctor_command(app, globals, exit_code);
    add_health_command(app, globals, exit_code);
    add_sim_command(app, globals, exit_code);
    add_config_command(app, globals, exit_code);

    refuse_empty_words(app);

    // CLI11 reports usage by exception only; this is the edge of the program.
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (const auto unknown = unknown_command(app)) {
            return report({ErrorCode::invalid_input, *unknown + " Run with --help for all."});
        }
        const int code = app.exit(error);
        return code == 0 ? exit_ok : exit_usage;
    }
    return exit_code;
}

}  // namespace rollcall::cli
