#include "alerts/message.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

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

}  // namespace

std::string to_json(const AlertMessage& message) {
    const std::string since = to_rfc3339(message.since);
    const std::string text =
        fmt::format("{} rollcall {}: {} (since {})", message.firing ? "[FIRING]" : "[RESOLVED]",
                    message.alert, without_markup(message.summary), since);
    return fmt::format(
        R"({{"alert":{},"status":"{}","summary":{},"since":"{}","labels":{},"text":{}}})",
        json_string(message.alert), message.firing ? "firing" : "resolved",
        json_string(message.summary), since, message.labels, json_string(text));
}

}  // namespace rollcall::alerts
