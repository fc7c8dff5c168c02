#include "alerts/message.hpp"

#include "base/json.hpp"

#include <fmt/format.h>
#include <string_view>

namespace rollcall::alerts {
namespace {

// Slack reads <…> as a link or a mention, whoever wrote it.
std::string without_markup(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else {
            out += c;
        }
    }
    return out;
}

std::string_view status_of(const AlertMessage& message) {
    return message.firing ? "firing" : "resolved";
}

}  // namespace

std::string to_json(const AlertMessage& message) {
    const std::string since = to_rfc3339(message.since);
    const std::string text =
        fmt::format("{} rollcall {}: {} (since {})", message.firing ? "[FIRING]" : "[RESOLVED]",
                    message.alert, without_markup(message.summary), since);
    return fmt::format(
        R"({{"alert":{},"status":"{}","summary":{},"since":"{}","labels":{},"text":{}}})",
        json_string(message.alert), status_of(message), json_string(message.summary), since,
        message.labels, json_string(text));
}

std::string to_entry(const AlertMessage& message, std::optional<SystemTime> resolved_at) {
    return fmt::format(
        R"({{"alert":{},"status":"{}","summary":{},"since":"{}","resolved_at":{},"labels":{}}})",
        json_string(message.alert), status_of(message), json_string(message.summary),
        to_rfc3339(message.since), resolved_at ? json_string(to_rfc3339(*resolved_at)) : "null",
        message.labels);
}

}  // namespace rollcall::alerts
