// What a reload of the configuration finds to be other than before.
#pragma once

#include "cli/settings.hpp"

#include <string>
#include <vector>

namespace rollcall::cli {

// Whether a reload makes a new value count; others wait for a restart.
[[nodiscard]] bool taken_by_reload(const SettingKey& key);

// The settings that changed, never their values.
struct Reloaded {
    std::vector<const SettingKey*> changed;

    // {"keys":[…]}
    [[nodiscard]] std::string as_json() const;
};

}  // namespace rollcall::cli
