#include "cli/reloaded.hpp"

#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "jobs/work_loop.hpp"

#include <fmt/format.h>

namespace rollcall::cli {

bool taken_by_reload(const SettingKey& key) {
    return key.name == "clerk.webhook_secret" || key.name == "gate.policy" ||
           key.name == "log.level" || key.name == "log.format";
}

std::string Reloaded::as_json() const {
    std::string keys;
    for (const SettingKey* key : changed) {
        keys += (keys.empty() ? "" : ",") + json_string(key->name);
    }
    return R"({"keys":[)" + keys + "]}";
}

Reloaded compare(const Settings& before, const Settings& now) {
    Reloaded reloaded;
    for (const SettingKey& key : setting_keys()) {
        if (now.get(key.name).text != before.get(key.name).text) reloaded.changed.push_back(&key);
    }
    return reloaded;
}

Task<> audit_reload(pg::Pool& pool, Reloaded found) {
    co_await jobs::guarded(
        "config_reload_not_audited",
        audit::record(pool, {}, {.action = "config.reload", .detail = found.as_json()}));
    for (const SettingKey* key : found.changed) {
        if (!key->secret) continue;
        const std::string detail =
            fmt::format(R"({{"in_use":{}}})", taken_by_reload(*key) ? "true" : "false");
        co_await jobs::guarded(
            "config_reload_not_audited",
            audit::record(pool, {},
                          {.action = "secret.rotated", .target = key->name, .detail = detail}));
    }
}

}  // namespace rollcall::cli
