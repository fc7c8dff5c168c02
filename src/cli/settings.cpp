#include "cli/settings.hpp"

#include "base/ascii.hpp"
#include "base/clock.hpp"
#include "base/nearest.hpp"
#include "base/toml_text.hpp"
#include "cli/defaults.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace rollcall::cli {
namespace {

using enum SettingType;

const SettingKey* find_key(std::string_view name) {
    const auto it = std::ranges::find(setting_keys(), name, &SettingKey::name);
    return it == setting_keys().end() ? nullptr : &*it;
}

std::string_view form_of(SettingType type) {
    switch (type) {
        case text:
            return "a string";
        case integer:
            return "a whole number";
        case number:
            return "a number";
        case boolean:
            return "true or false";
        case duration:
            return "a duration with its unit, as \"200ms\", \"5s\", \"10m\", \"1d\"";
        case size:
            return "a size, as \"64KiB\" or \"1MiB\"";
        case list:
            return "a list of strings";
    }
    return "";
}

std::optional<std::int64_t> parse_integer(std::string_view value) {
    std::int64_t number_value = 0;
    const auto [end, error] = std::from_chars(value.begin(), value.end(), number_value);
    if (error != std::errc{} || end != value.end()) return {};
    return number_value;
}

std::optional<double> parse_number(std::string_view value) {
    double number_value = 0;
    const auto [end, error] = std::from_chars(value.begin(), value.end(), number_value);
    if (error != std::errc{} || end != value.end()) return {};
    return number_value;
}

bool well_formed(SettingType type, const std::string& value) {
    switch (type) {
        case text:
        case list:
            return true;
        case integer:
            return parse_integer(value).has_value();
        case number:
            return parse_number(value).has_value();
        case boolean:
            return value == "true" || value == "false";
        case duration:
            return parse_duration(value).has_value();
        case size:
            return parse_size(value).has_value();
    }
    return false;
}

std::vector<std::string> split(std::string_view value) {
    std::istringstream words{std::string(value)};
    return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

std::string trim_end(std::string value) {
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
    return value;
}

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    in.peek();  // a directory can be opened, but not read
    if (!in.is_open() || in.bad()) return {};
    return std::string{std::istreambuf_iterator<char>(in), {}};
}

using Values = std::map<std::string, Setting, std::less<>>;

Error bad(std::string_view source, std::string_view key, std::string_view message) {
    return {ErrorCode::bad_configuration, fmt::format("{}: {}: {}", source, key, message)};
}

// "; is it serve.listen?" for serve.lissten.
std::string likely(std::string_view name) {
    std::vector<std::string> known;
    for (const SettingKey& key : setting_keys()) known.emplace_back(key.name);
    const auto found = nearest(name, known);
    return found ? fmt::format("; is it {}?", *found) : "";
}

// A value that came as text: from the environment, a flag or a secret's `file`.
Result<void> put_text(Values& values, const SettingKey& key, std::string value, std::string source,
                      std::string file = {}) {
    if (!well_formed(key.type, value)) {
        return std::unexpected(
            bad(source, key.name,
                key.secret ? fmt::format("must be {}", form_of(key.type))
                           : fmt::format("\"{}\" is not {}", value, form_of(key.type))));
    }
    Setting setting{std::move(value), {}, std::move(source), std::move(file)};
    if (key.type == list) setting.list = split(setting.text);
    values[std::string(key.name)] = std::move(setting);
    return {};
}

std::optional<std::string> string_of(const toml::node& node) {
    auto value = node.value_exact<std::string>();
    if (value) *value = toml_restored(*value);
    return value;
}

// The text of a TOML value, or nothing when its type is not that of the key.
std::optional<Setting> from_node(SettingType type, const toml::node& node) {
    Setting setting;
    if (type == list) {
        const auto* array = node.as_array();
        if (array == nullptr) return {};
        for (const auto& element : *array) {
            const auto item = string_of(element);
            if (!item) return {};
            setting.list.push_back(*item);
            setting.text += (setting.text.empty() ? "" : " ") + *item;
        }
        return setting;
    }
    if (type == integer || type == number) {
        if (const auto whole = node.value_exact<std::int64_t>()) {
            setting.text = std::to_string(*whole);
        } else if (const auto real = node.value_exact<double>(); real && type == number) {
            setting.text = fmt::format("{}", *real);
        } else {
            return {};
        }
        return setting;
    }
    if (type == boolean) {
        const auto value = node.value_exact<bool>();
        if (!value) return {};
        setting.text = *value ? "true" : "false";
        return setting;
    }
    const auto value = string_of(node);
    if (!value || !well_formed(type, *value)) return {};
    setting.text = *value;
    return setting;
}

Result<void> put_node(Values& values, const std::string& name, const toml::node& node,
                      const std::string& file) {
    const std::string source = fmt::format("{}:{}", file, node.source().begin.line);
    if (name.ends_with("_file")) {
        const SettingKey* key = find_key(name.substr(0, name.size() - 5));
        if (key != nullptr && key->secret) {
            const auto path = string_of(node);
            if (!path) return std::unexpected(bad(source, name, "must be a path"));
            auto content = read_file(*path);
            if (!content) return std::unexpected(bad(source, name, "cannot read " + *path));
            return put_text(values, *key, trim_end(std::move(*content)), source, *path);
        }
    }
    const SettingKey* key = find_key(name);
    if (key == nullptr) {
        return std::unexpected(bad(source, name, "there is no such key" + likely(name)));
    }
    auto setting = from_node(key->type, node);
    if (!setting) {
        return std::unexpected(bad(source, name, fmt::format("must be {}", form_of(key->type))));
    }
    setting->source = file == "default" ? "default" : source;
    values[name] = std::move(*setting);
    return {};
}

Result<void> put_document(Values& values, std::string_view document, const std::string& file) {
    const auto ascii = toml_in_ascii(document);
    if (!ascii) {
        return fail(ErrorCode::bad_configuration, fmt::format("{}: {}", file, ascii.error()));
    }
    const toml::parse_result parsed = toml::parse(*ascii, file);
    if (!parsed) {
        return fail(ErrorCode::bad_configuration,
                    fmt::format("{}:{}: {}", file, parsed.error().source().begin.line,
                                parsed.error().description()));
    }
    for (const auto& [section, content] : parsed.table()) {
        const auto* entries = content.as_table();
        if (entries == nullptr) {
            return std::unexpected(bad(fmt::format("{}:{}", file, content.source().begin.line),
                                       toml_restored(section.str()),
                                       "every key belongs to a [section]"));
        }
        for (const auto& [key, node] : *entries) {
            const auto put = put_node(
                values, toml_restored(fmt::format("{}.{}", section.str(), key.str())), node, file);
            if (!put) return put;
        }
    }
    return {};
}

// An empty variable counts as absent.
const std::string* variable(const SettingsInput& input, const std::string& name) {
    const auto found = input.environment.find(name);
    return found == input.environment.end() || found->second.empty() ? nullptr : &found->second;
}

// The variables that say `key`, those of its own first.
std::vector<std::string> names_of(const SettingKey& key) {
    auto names = split(key.environment);
    names.push_back(environment_name(key.name));
    return names;
}

// Secrets that the service manager hands over: a file for each in the directory that it names,
// called as the variable would be, in lower case. One that is empty counts as absent.
Result<void> put_credentials(Values& values, const SettingsInput& input) {
    const std::string* directory = variable(input, "CREDENTIALS_DIRECTORY");
    if (directory == nullptr) return {};
    for (const SettingKey& key : setting_keys()) {
        if (!key.secret) continue;
        for (const std::string& upper : names_of(key)) {
            const std::string name = to_lower(upper);
            const std::filesystem::path path = std::filesystem::path(*directory) / name;
            std::error_code error;
            if (!std::filesystem::exists(path, error) && !error) continue;
            auto content = read_file(path);
            if (!content) {
                return std::unexpected(
                    bad("credential " + name, key.name, "cannot read " + path.string()));
            }
            const std::string value = trim_end(std::move(*content));
            if (value.empty()) continue;
            auto put = put_text(values, key, value, "credential " + name, path.string());
            if (!put) return put;
            break;
        }
    }
    return {};
}

Result<void> put_environment(Values& values, const SettingsInput& input) {
    if (auto good = check_names(input.environment); !good) return good;
    for (const SettingKey& key : setting_keys()) {
        for (const std::string& name : names_of(key)) {
            if (const std::string* value = variable(input, name)) {
                auto put = put_text(values, key, *value, "environment " + name);
                if (!put) return put;
                break;
            }
            if (!key.secret) continue;
            const std::string file_name = name + "_FILE";
            if (const std::string* path = variable(input, file_name)) {
                auto content = read_file(*path);
                if (!content) {
                    return std::unexpected(
                        bad("environment " + file_name, key.name, "cannot read " + *path));
                }
                auto put = put_text(values, key, trim_end(std::move(*content)),
                                    "environment " + file_name, *path);
                if (!put) return put;
                break;
            }
        }
    }
    return {};
}

}  // namespace

Result<Settings> Settings::load(const SettingsInput& input) {
    Settings settings;
    if (auto put = put_document(settings.values_, default_settings(), "default"); !put) {
        return std::unexpected(put.error());
    }
    if (!input.file.empty()) {
        const auto content = read_file(input.file);
        if (!content) {
            return fail(ErrorCode::bad_configuration,
                        fmt::format("{}: cannot read the configuration file", input.file));
        }
        if (auto put = put_document(settings.values_, *content, input.file); !put) {
            return std::unexpected(put.error());
        }
    }
    for (const auto put_layer : {put_credentials, put_environment}) {
        if (auto put = put_layer(settings.values_, input); !put) {
            return std::unexpected(put.error());
        }
    }
    for (const auto& [name, value] : input.flags) {
        const SettingKey* key = find_key(name);
        ensure(key != nullptr, "a flag names a key that exists");
        if (auto put = put_text(settings.values_, *key, value, "flag"); !put) {
            return std::unexpected(put.error());
        }
    }
    settings.strange_variables_ = rollcall::cli::strange_variables(input.environment);
    return settings;
}

const Setting& Settings::get(std::string_view key) const {
    const auto it = values_.find(key);
    ensure(it != values_.end(), "every key has a default in rollcall.toml");
    return it->second;
}

std::string Settings::text(std::string_view key) const {
    return get(key).text;
}

std::int64_t Settings::integer(std::string_view key) const {
    return parse_integer(get(key).text).value();
}

double Settings::number(std::string_view key) const {
    return parse_number(get(key).text).value();
}

bool Settings::boolean(std::string_view key) const {
    return get(key).text == "true";
}

std::chrono::milliseconds Settings::duration(std::string_view key) const {
    return parse_duration(get(key).text).value();
}

std::size_t Settings::size(std::string_view key) const {
    return parse_size(get(key).text).value();
}

const std::vector<std::string>& Settings::list(std::string_view key) const {
    return get(key).list;
}

Error Settings::error(std::string_view key, std::string_view message) const {
    return bad(get(key).source, key, message);
}

}  // namespace rollcall::cli
