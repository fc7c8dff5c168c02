// rollcall config print: the settings in force, where each came from, secrets masked.
#include "base/json.hpp"
#include "base/secret.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

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

}  // namespace

void add_config_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* config = app.add_subcommand("config", "The settings in force");
    config->require_subcommand(1);
    auto* print =
        config->add_subcommand("print", "Effective values, where each came from, secrets masked");
    print->callback([&globals, &exit_code] { exit_code = print_settings(globals); });
}

}  // namespace rollcall::cli
