// What a reload of the configuration finds to be other than before.
#pragma once

#include "base/task.hpp"
#include "cli/settings.hpp"
#include "pg/pool.hpp"

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
[[nodiscard]] Reloaded compare(const Settings& before, const Settings& now);

// Entries of the audit log: of the reload, and of each secret that is another one. Never throws.
Task<> audit_reload(pg::Pool& pool, Reloaded found);

}  // namespace rollcall::cli
