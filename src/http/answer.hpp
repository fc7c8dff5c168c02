// What is read of any upstream's answer.
#pragma once

#include "http/message.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::http {

// Whole seconds, at most an hour. Nothing when absent or of another form.
[[nodiscard]] std::optional<std::chrono::seconds> retry_after(const Response& response);

// `text` when it is a word that may stand in a log line (a code, a trace id), else "": anything
// else that an upstream says may be somebody's data.
[[nodiscard]] std::string loggable_word(std::string_view text);

}  // namespace rollcall::http
