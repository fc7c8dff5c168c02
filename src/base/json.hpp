// What lower layers need of JSON: how a string is written, and what UTF-8 is. Whole documents are
// built with Boost.JSON in the folders that answer with them.
#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall {

// Appends `text` in quotes. Control characters are escaped; bytes that are not UTF-8 become U+FFFD,
// so that what untrusted bytes end up in is always valid JSON.
void append_json_string(std::string& out, std::string_view text);
[[nodiscard]] std::string json_string(std::string_view text);
// RFC 3339 in quotes, or null.
[[nodiscard]] std::string json_time(const std::optional<SystemTime>& time);

// The length of the character at `at`, which is inside `text`; 0 when it is not UTF-8.
[[nodiscard]] std::size_t utf8_length(std::string_view text, std::size_t at);

// Whether `text` is UTF-8 as RFC 3629 has it: no overlong forms, no surrogates.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace rollcall
