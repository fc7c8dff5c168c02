// Which fields of a message are about one connection and end there (RFC 9110, section 7.6.1). Pure.
#pragma once

#include "http/message.hpp"

#include <string_view>

namespace rollcall::http {

// Whether the comma-separated list has that token, in whatever case.
[[nodiscard]] bool has_token(std::string_view list, std::string_view token);

// Whether CGI, WSGI, PHP and others may take two names for the same: letters without regard to
// case, every character that is neither letter nor digit for `-`.
[[nodiscard]] bool same_folded_name(std::string_view a, std::string_view b);

// A message's fields less those of one connection only and those that `Connection` names. What a
// proxy itself sets is added after this: nobody can then have it removed (GHSA-w9mr-28mw-j8hg).
[[nodiscard]] Fields end_to_end(const Fields& fields);

// Whether it offers, or accepts, to go on as a WebSocket (RFC 6455, section 4). No other protocol
// counts: by `Upgrade: h2c` a client could talk past the proxy.
[[nodiscard]] bool upgrades_to_websocket(const Fields& fields);

}  // namespace rollcall::http
