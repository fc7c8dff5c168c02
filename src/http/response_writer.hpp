// Writes the head of a response. Lengths, Date, Connection and X-Request-Id are the server's: what
// a handler says of framing is left out.
#pragma once

#include "http/framing.hpp"
#include "http/message.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rollcall::http {

struct ResponseHead {
    std::string_view date;        // IMF-fixdate
    std::string_view request_id;  // empty: none
    bool close = false;
    std::optional<Framing> framing{};  // nothing: the length of `body`
};

// Appends status line and fields up to the empty line.
void append_head(std::string& out, const Response& response, const ResponseHead& head);

// Whether every field can be written without changing what follows it.
[[nodiscard]] bool has_valid_fields(const Response& response);

// 1xx, 204 and 304 have no body, whatever the handler gave.
[[nodiscard]] bool may_have_body(unsigned status);

[[nodiscard]] std::string_view reason_phrase(unsigned status);

// Sun, 06 Nov 1994 08:49:37 GMT
[[nodiscard]] std::string http_date(std::int64_t unix_seconds);

}  // namespace rollcall::http
