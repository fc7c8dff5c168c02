// application/x-www-form-urlencoded: what forms and queries are written in (WHATWG URL, section 5).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rollcall::http {

// A name or a value; nothing for half an escape, a NUL, or what is not UTF-8.
[[nodiscard]] std::optional<std::string> form_decode(std::string_view text);

}  // namespace rollcall::http
