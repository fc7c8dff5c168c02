#include "admin/bearer.hpp"

#include "base/ascii.hpp"
#include "crypto/digest.hpp"
#include "http/syntax.hpp"

#include <algorithm>

namespace rollcall::admin {

bool authorized(const http::Request& request, const Secret& token) {
    if (token.empty() || request.headers.count("Authorization") != 1) return false;
    const std::string_view credentials = *request.headers.get("Authorization");
    const auto scheme_end = std::min(credentials.find(' '), credentials.size());
    if (!http::same_name(credentials.substr(0, scheme_end), "Bearer")) return false;
    const std::string_view given = trimmed(credentials.substr(scheme_end));
    // Hashes have one length, so that not even the token's length shows.
    const auto digest = [](std::string_view text) {
        const crypto::Sha256 hash = crypto::sha256(text);
        return std::string(hash.begin(), hash.end());
    };
    return crypto::equal_constant_time(digest(given), digest(token.reveal()));
}

namespace {

http::Response not_found(http::AddressGuard* guard) {
    return (guard == nullptr ? std::nullopt : guard->stray())
        .value_or(http::Response::json(404, R"({"error":"Not found"})"));
}

http::Response unauthorized(const http::Request& request, http::AddressGuard* guard) {
    if (guard != nullptr) {
        if (auto limited = guard->failed(request.client_address)) return *std::move(limited);
    }
    auto response = http::Response::json(401, R"({"error":"Unauthorized"})");
    response.headers.set("WWW-Authenticate", "Bearer");
    return response;
}

}  // namespace

http::Handler with_bearer(const Secret& token, http::Handler handler, http::AddressGuard* guard) {
    return [token, handler = std::move(handler),
            guard](http::Request& request) -> Task<http::Response> {
        if (token.empty()) co_return not_found(guard);
        if (!authorized(request, token)) co_return unauthorized(request, guard);
        co_return co_await handler(request);
    };
}

}  // namespace rollcall::admin
