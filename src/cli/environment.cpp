#include "cli/environment.hpp"

#include "base/nearest.hpp"
#include "cli/settings.hpp"

#include <fmt/format.h>

#include <unistd.h>
#include <algorithm>
#include <vector>

namespace rollcall::cli {
namespace {

constexpr std::string_view prefix = "ROLLCALL_";

// ADMIN_ for admin.token.
std::string section_prefix(const SettingKey& key) {
    const std::string name = environment_name(key.name.substr(0, key.name.find('.')));
    return name.substr(prefix.size()) + "_";
}

// As Kubernetes and Docker links write where a service is.
bool is_service_link(std::string_view rest, std::string_view value) {
    if (rest.ends_with("SERVICE_HOST") || rest.contains("SERVICE_PORT")) return true;
    const std::size_t port = rest.find("PORT_");
    if (port != std::string_view::npos && port + 5 < rest.size()) {
        const char next = rest[port + 5];
        if (next >= '0' && next <= '9') return true;
    }
    return rest.ends_with("PORT") && value.contains("://");
}

// The names after `section` that settings have; of "" after the prefix.
std::vector<std::string> names_in(std::string_view section) {
    std::vector<std::string> out;
    for (const SettingKey& key : setting_keys()) {
        if (!section.empty() && section_prefix(key) != section) continue;
        const std::string name = environment_name(key.name).substr(prefix.size() + section.size());
        out.push_back(name);
        if (key.secret) out.push_back(name + "_FILE");
    }
    return out;
}

// What says where the file is, and the names of their own that settings have with the prefix.
bool has_name_of_its_own(std::string_view name) {
    return name == "ROLLCALL_CONFIG" || std::ranges::any_of(setting_keys(), [&](const auto& key) {
               return (" " + std::string(key.environment) + " ")
                   .contains(" " + std::string(name) + " ");
           });
}

}  // namespace

Environment process_environment() {
    Environment out;
    for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
        const std::string_view variable = *at;
        const std::size_t equals = variable.find('=');
        if (equals != std::string_view::npos) {
            out.emplace(variable.substr(0, equals), variable.substr(equals + 1));
        }
    }
    return out;
}

std::string environment_name(std::string_view key) {
    std::string name(prefix);
    for (const char c : key) {
        name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    return name;
}

Result<void> check_names(const Environment& environment) {
    for (const auto& [name, value] : environment) {
        if (value.empty() || !name.starts_with(prefix)) continue;
        const std::string_view rest = std::string_view(name).substr(prefix.size());
        const auto key = std::ranges::find_if(setting_keys(), [&](const SettingKey& one) {
            return rest.starts_with(section_prefix(one));
        });
        if (key == setting_keys().end() || is_service_link(rest, value)) continue;
        const std::string section = section_prefix(*key);
        const std::vector<std::string> known = names_in(section);
        const std::string_view given = rest.substr(section.size());
        if (std::ranges::find(known, given) != known.end()) continue;
        const auto likely = nearest(given, known);
        return fail(ErrorCode::bad_configuration,
                    fmt::format("environment {}: there is no such key; {}", name,
                                likely ? fmt::format("is it {}{}{}?", prefix, section, *likely)
                                       : fmt::format("see section [{}] of rollcall.toml",
                                                     key->name.substr(0, key->name.find('.')))));
    }
    return {};
}

std::vector<StrangeVariable> strange_variables(const Environment& environment) {
    std::vector<StrangeVariable> out;
    const std::vector<std::string> known = names_in("");
    for (const auto& [name, value] : environment) {
        if (value.empty() || !name.starts_with(prefix) || has_name_of_its_own(name)) continue;
        const std::string_view rest = std::string_view(name).substr(prefix.size());
        if (std::ranges::find(known, rest) != known.end() || is_service_link(rest, value)) continue;
        const auto likely = nearest(rest, known);
        out.push_back({name, likely ? std::string(prefix) + *likely : ""});
    }
    return out;
}

}  // namespace rollcall::cli
