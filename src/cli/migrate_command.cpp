// rollcall migrate: applies or shows the schema steps, then creates or adopts the users table.
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/migrate.hpp"
#include "cli/one_shot.hpp"
#include "cli/shell_actor.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memory>

namespace rollcall::cli {
namespace {

struct MigrateArguments {
    bool dry_run = false;
    bool with_rls = false;
};

std::string as_json(const std::vector<std::string>& lines) {
    std::string out = "[";
    for (const std::string& line : lines) out += (out.size() > 1 ? "," : "") + json_string(line);
    return out + "]";
}

void print_outcome(const MigrateOutcome& outcome, bool dry_run, bool json) {
    if (json) {
        fmt::print("{{\"dry_run\":{},\"steps\":{},\"users_table\":{},\"notes\":{}}}\n", dry_run,
                   as_json(outcome.steps), as_json(outcome.users_table), as_json(outcome.notes));
        return;
    }
    const std::string_view verb = dry_run ? "would apply" : "applied";
    for (const std::string& step : outcome.steps) fmt::print("{} {}\n", verb, step);
    for (const std::string& what : outcome.users_table) {
        fmt::print("{}: {}\n", dry_run ? "would do" : "done", what);
    }
    for (const std::string& sql : outcome.users_table_sql) fmt::print("{}\n", sql);
    for (const std::string& note : outcome.notes) fmt::print("note: {}\n", note);
    if (outcome.steps.empty() && outcome.users_table.empty()) fmt::print("up to date\n");
}

int migrate(const Globals& globals, const MigrateArguments& arguments) {
    const auto config = load_config(globals, {}, {.database = true});
    if (!config) return report(config.error());
    return run_once(*config, [&](pg::Pool& pool) -> Task<int> {
        const auto outcome =
            co_await run_migrations(pool, config->users, {.with_rls = arguments.with_rls},
                                    arguments.dry_run, shell_actor());
        if (!outcome) co_return report(outcome.error());
        print_outcome(*outcome, arguments.dry_run, globals.json);
        co_return exit_ok;
    });
}

int show_status(const Globals& globals) {
    const auto config = load_config(globals, {}, {.database = true});
    if (!config) return report(config.error());
    return run_once(*config, [&](pg::Pool& pool) -> Task<int> {
        const auto steps = co_await pg::Migrator(pool, migrations()).status();
        if (!steps) co_return report(steps.error());
        bool all = true;
        std::string out;
        for (const pg::MigrationStep& step : *steps) {
            all = all && step.applied;
            if (globals.json) {
                out += fmt::format(R"({}{{"name":{},"applied":{},"applied_at":{}}})",
                                   out.empty() ? "" : ",", json_string(step.name), step.applied,
                                   json_string(step.applied_at));
            } else {
                out += fmt::format("{:<32} {}\n", step.name,
                                   step.applied ? "applied " + step.applied_at : "pending");
            }
        }
        fmt::print("{}", globals.json ? "[" + out + "]\n" : out);
        co_return all ? exit_ok : exit_found;
    });
}

}  // namespace

void add_migrate_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command = app.add_subcommand(
        "migrate",
        "Applies the schema steps that are missing and creates or adopts the users table. Safe to "
        "repeat, and on a database that already has users: no column is dropped or rewritten");
    const auto arguments = std::make_shared<MigrateArguments>();
    command->add_flag("--dry-run", arguments->dry_run, "Print what would be done; change nothing");
    command->add_flag("--with-rls", arguments->with_rls,
                      "Row level security on a users table that was there before, too");
    auto* status = command->add_subcommand("status", "Shows which steps are applied; 1 if not all");
    command->callback([=, &globals, &exit_code] {
        exit_code = status->parsed() ? show_status(globals) : migrate(globals, *arguments);
    });
}

}  // namespace rollcall::cli
