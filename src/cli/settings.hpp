// The layered settings: flags over environment over the service manager's credentials (secrets
// only) over file over the defaults of rollcall.toml, which the binary carries. Values are kept as
// text with the place they came from; cli/config.hpp turns them into the modules' structs. An
// unknown key, a wrong type or an unreadable file is bad_configuration, with file, line and key in
// the message.
#pragma once

#include "base/result.hpp"
#include "cli/environment.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::cli {

enum class SettingType : std::uint8_t { text, integer, number, boolean, duration, size, list };

struct SettingKey {
    std::string_view name;  // section.key
    SettingType type = SettingType::text;
    // Masked when printed; also read from <NAME>_FILE and $CREDENTIALS_DIRECTORY/<name>.
    bool secret = false;
    std::string_view environment;  // names of its own beside ROLLCALL_SECTION_KEY, by spaces
};

// Every key there is, in the order of rollcall.toml.
[[nodiscard]] std::span<const SettingKey> setting_keys();

struct Setting {
    std::string text;               // as written; a list joined by spaces
    std::vector<std::string> list;  // of type list
    std::string source;             // "default", "rollcall.toml:12", "environment CLERK_SECRET_KEY"
    std::string file{};             // a secret's own, when it was read from one
};

struct SettingsInput {
    std::string file;                          // empty: none
    std::map<std::string, std::string> flags;  // section.key -> text
    Environment environment;
};

class Settings {
public:
    static Result<Settings> load(const SettingsInput& input);

    // Asking for a key that does not exist, or as another type, is a bug.
    [[nodiscard]] const Setting& get(std::string_view key) const;
    [[nodiscard]] std::string text(std::string_view key) const;
    [[nodiscard]] std::int64_t integer(std::string_view key) const;
    [[nodiscard]] double number(std::string_view key) const;
    [[nodiscard]] bool boolean(std::string_view key) const;
    [[nodiscard]] std::chrono::milliseconds duration(std::string_view key) const;
    [[nodiscard]] std::size_t size(std::string_view key) const;
    [[nodiscard]] const std::vector<std::string>& list(std::string_view key) const;

    // Variables that look like settings and are none.
    [[nodiscard]] const std::vector<StrangeVariable>& strange_variables() const {
        return strange_variables_;
    }

    // `message` with the key and where its value came from, for a contradiction found later.
    [[nodiscard]] Error error(std::string_view key, std::string_view message) const;

private:
    std::map<std::string, Setting, std::less<>> values_;
    std::vector<StrangeVariable> strange_variables_;
};

}  // namespace rollcall::cli
