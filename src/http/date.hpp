// Dates as HTTP sends them.
#pragma once

#include "base/clock.hpp"

#include <optional>
#include <string_view>

namespace rollcall::http {

// An IMF-fixdate ("Sun, 06 Nov 1994 08:49:37 GMT"), which all servers of today send; nothing for
// another text. The weekday is not compared with the date.
[[nodiscard]] std::optional<SystemTime> parse_http_date(std::string_view text);

}  // namespace rollcall::http
