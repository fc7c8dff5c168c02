#include "cli/reloaded.hpp"

#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
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

ReloadOutcome::ReloadOutcome(MetricsRegistry& metrics)
    : successful_(metrics
                      .gauge("rollcall_config_last_reload_successful",
                             "1 when the last reload of the configuration was taken")
                      .Add({})),
      time_(metrics
                .gauge("rollcall_config_last_reload_success_timestamp_seconds",
                       "When the configuration was last taken")
                .Add({})) {
    taken();
}

void ReloadOutcome::taken() {
    successful_.Set(1);
    time_.SetToCurrentTime();
    since_ = real_clock().now();
    refused_.clear();
}

void ReloadOutcome::refused(const Error& why) {
    successful_.Set(0);
    refused_ = why.message;
    log::error("config_reload_failed", {{"message", why.message}});
}

std::string ReloadOutcome::status() const {
    return fmt::format(R"({{"since":{},"refused":{}}})", json_time(since_),
                       refused_.empty() ? "null" : json_string(refused_));
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
