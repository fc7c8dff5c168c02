#include "gate/presented_token.hpp"

#include "base/ascii.hpp"
#include "http/hop_by_hop.hpp"
#include "http/syntax.hpp"

#include <algorithm>
#include <array>

namespace rollcall::gate {
namespace {

using Shown = std::expected<std::string_view, CarrierFault>;

// RFC 9110, section 9.2.1.
constexpr std::array<std::string_view, 4> safe_methods{"GET", "HEAD", "OPTIONS", "TRACE"};

Shown from_authorization(const http::Fields& headers) {
    const std::size_t count = headers.count("Authorization");
    if (count == 0) return std::unexpected(CarrierFault::none);
    if (count > 1) return std::unexpected(CarrierFault::repeated);
    const std::string_view value = trimmed(*headers.get("Authorization"));
    const std::size_t end = std::min(value.find(' '), value.size());
    if (!http::same_name(value.substr(0, end), "Bearer")) {
        return std::unexpected(CarrierFault::none);
    }
    const std::string_view token = trimmed(value.substr(end));
    if (token.empty()) return std::unexpected(CarrierFault::empty);
    return token;
}

Shown from_cookie(const http::Fields& headers, std::string_view cookie) {
    std::string_view token;
    for (const auto& [name, value] : headers.all()) {
        if (!http::same_name(name, "Cookie")) continue;
        std::string_view rest = value;
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find(';'), rest.size());
            const std::string_view pair = trimmed(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
            const std::size_t equals = pair.find('=');
            if (equals == std::string_view::npos || pair.substr(0, equals) != cookie) continue;
            const std::string_view found = pair.substr(equals + 1);
            if (found.empty()) continue;
            if (!token.empty() && token != found) return std::unexpected(CarrierFault::repeated);
            token = found;
        }
    }
    if (token.empty()) return std::unexpected(CarrierFault::none);
    return token;
}

Shown from_cookies(const http::Fields& headers, const std::vector<std::string>& cookies) {
    for (const std::string& cookie : cookies) {
        Shown shown = from_cookie(headers, cookie);
        if (shown || shown.error() != CarrierFault::none) return shown;
    }
    return std::unexpected(CarrierFault::none);
}

bool contains(const auto& all, std::string_view one) {
    return std::ranges::find(all, one) != all.end();
}

bool is_same_site(const http::Fields& headers, std::string_view method, const CarrierRules& rules) {
    // Any site may have a browser open a WebSocket, with its cookies. A proxy that asks does not
    // say Upgrade, which is about one connection; the key goes from end to end (RFC 6455,
    // section 4.1).
    const bool opens_websocket =
        http::upgrades_to_websocket(headers) || headers.count("Sec-WebSocket-Key") > 0;
    if (contains(safe_methods, method) && !opens_websocket) return true;
    if (headers.count("Sec-Fetch-Site") > 0) {
        return headers.count("Sec-Fetch-Site") == 1 &&
               *headers.get("Sec-Fetch-Site") == "same-origin";
    }
    return headers.count("Origin") == 1 && contains(rules.origins, *headers.get("Origin"));
}

}  // namespace

std::string_view describe(CarrierFault fault) {
    switch (fault) {
        case CarrierFault::none:
            return "no token is shown";
        case CarrierFault::cross_site:
            return "the session cookie does not count for a request of another site";
        case CarrierFault::repeated:
            return "more than one token is shown";
        case CarrierFault::differ:
            return "header and cookie show different tokens";
        case CarrierFault::empty:
            return "there is no token after Bearer";
    }
    return "";
}

Shown presented_token(const http::Fields& headers, std::string_view method,
                      const CarrierRules& rules) {
    const Shown header = from_authorization(headers);
    const Shown cookie = from_cookies(headers, rules.cookies);
    if (header) {
        if (cookie && *cookie != *header) return std::unexpected(CarrierFault::differ);
        return header;
    }
    if (header.error() != CarrierFault::none || !cookie) {
        return header.error() != CarrierFault::none ? header : cookie;
    }
    if (!is_same_site(headers, method, rules)) return std::unexpected(CarrierFault::cross_site);
    return cookie;
}

}  // namespace rollcall::gate
