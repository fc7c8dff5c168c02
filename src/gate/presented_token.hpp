// Which session token a request shows: `Authorization: Bearer` (RFC 6750, section 2.1), and where
// the operator says so a cookie of Clerk's. Never the query. Pure.
// A cookie comes with requests that another site caused, so for methods that change something, and
// for WebSockets, it counts only where the browser says that this site did (Sec-Fetch-Site, else
// Origin).
#pragma once

#include "http/message.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::gate {

struct CarrierRules {
    // Names of cookies that count, who goes before whom; none: the header only.
    std::vector<std::string> cookies;
    std::vector<std::string> origins;  // "https://app.example.com": of whom an Origin may speak
};

enum class CarrierFault : std::uint8_t {
    none,        // no token is shown
    cross_site,  // only a cookie that does not count for this request
    repeated,    // two fields, or cookies that differ
    differ,      // header and cookie are two tokens
    empty,       // a field without a token
};
[[nodiscard]] std::string_view describe(CarrierFault fault);

// `method` is that of the request which is decided. The token is part of `headers`.
[[nodiscard]] std::expected<std::string_view, CarrierFault> presented_token(
    const http::Fields& headers, std::string_view method, const CarrierRules& rules);

}  // namespace rollcall::gate
