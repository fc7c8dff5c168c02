#include "cli/reloaded.hpp"

#include "base/json.hpp"

namespace rollcall::cli {

bool taken_by_reload(const SettingKey& key) {
    return key.name == "clerk.webhook_secret" || key.name == "log.level" ||
           key.name == "log.format";
}

std::string Reloaded::as_json() const {
    std::string keys;
    for (const SettingKey* key : changed) {
        keys += (keys.empty() ? "" : ",") + json_string(key->name);
    }
    return R"({"keys":[)" + keys + "]}";
}

}  // namespace rollcall::cli
