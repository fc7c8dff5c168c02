// What is told of an alert, as the JSON that is posted and as text for a person. `text` is what
// Slack's incoming webhooks show (and Mattermost's, and many others'); the rest is for programs.
#pragma once

#include "alerts/alert_state.hpp"
#include "base/clock.hpp"

#include <optional>
#include <string>

namespace rollcall::alerts {

struct AlertMessage {
    std::string alert;
    bool firing = true;  // or resolved
    std::string summary;
    SystemTime since;
    std::string labels = "{}";  // a JSON object
};

// {"alert":…,"status":"firing","summary":…,"since":…,"labels":{…},"text":…}
[[nodiscard]] std::string to_json(const AlertMessage& message);
// As it is listed: {"alert":…,"status":…,"summary":…,"since":…,"resolved_at":…,"labels":{…}}
[[nodiscard]] std::string to_entry(const AlertMessage& message,
                                   std::optional<SystemTime> resolved_at = std::nullopt);

}  // namespace rollcall::alerts
