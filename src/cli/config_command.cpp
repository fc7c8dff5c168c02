// rollcall config print: the settings in force, where each came from, secrets masked.
#include "base/json.hpp"
#include "base/secret.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/one_shot.hpp"
#include "directory/directory.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memory>

namespace rollcall::cli {
namespace {

std::string shown(const SettingKey& key, const Setting& setting) {
    if (!key.secret || setting.text.empty()) return setting.text;
    std::string masked;
    for (const std::string& value :
         setting.list.empty() ? std::vector{setting.text} : setting.list) {
        masked += (masked.empty() ? "" : " ") + Secret(value).masked();
    }
    return masked;
}

int print_settings(const Globals& globals) {
    const auto settings = load_settings(globals, {});
    if (!settings) return report(settings.error());
    std::string out;
    for (const SettingKey& key : setting_keys()) {
        const Setting& setting = settings->get(key.name);
        if (globals.json) {
            out += fmt::format("{}{}:{{\"value\":{},\"source\":{}}}", out.empty() ? "{" : ",\n",
                               json_string(key.name), json_string(shown(key, setting)),
                               json_string(setting.source));
        } else {
            out += fmt::format("{:<34} {:<40} # {}\n", key.name,
                               fmt::format("\"{}\"", shown(key, setting)), setting.source);
        }
    }
    fmt::print("{}{}", out, globals.json ? "}\n" : "");
    const auto config = make_config(*settings, Needs{});
    return config ? exit_ok : report(config.error());
}

void print_statements(const std::vector<directory::Directory::Text>& statements, bool json) {
    std::string out;
    for (const auto& [name, text] : statements) {
        if (text.empty()) continue;  // of a column that is not mirrored
        if (json) {
            out += fmt::format("{}{}:{}", out.empty() ? "{" : ",\n", json_string(name),
                               json_string(text));
        } else {
            out += fmt::format("-- {}\n{};\n\n", name, text);
        }
    }
    fmt::print("{}{}", out, json ? "}\n" : "");
}

// For the table as it is; without a database for the one that migrate creates.
int print_sql(const Globals& globals) {
    const auto config = load_config(globals, {}, Needs{});
    if (!config) return report(config.error());
    const directory::DirectoryConfig users{.columns = config->users,
                                           .batch = config->work.batch,
                                           .can_ask = !config->clerk.secret_key.empty()};
    if (config->database.url.empty()) {
        print_statements(directory::Directory::statements_of(users), globals.json);
        return exit_ok;
    }
    return run_once(*config, [&](pg::Pool& pool) -> Task<int> {
        const auto opened = co_await directory::Directory::open(pool, users);
        if (!opened) co_return report(opened.error());
        print_statements((*opened)->statements(), globals.json);
        co_return exit_ok;
    });
}

}  // namespace

void add_config_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* config = app.add_subcommand("config", "The settings in force");
    config->require_subcommand(1);
    auto* print =
        config->add_subcommand("print", "Effective values, where each came from, secrets masked");
    const auto sql = std::make_shared<bool>(false);
    print->add_flag("--sql", *sql,
                    "Instead: the statements that the settings make over the users table");
    print->callback([&globals, &exit_code, sql] {
        exit_code = *sql ? print_sql(globals) : print_settings(globals);
    });
}

}  // namespace rollcall::cli
