#include "admin/bearer.hpp"

#include "crypto/digest.hpp"
#include "http/syntax.hpp"

#include <algorithm>

namespace rollcall::admin {

bool authorized(const http::Request& request, const Secret& token) {
    if (token.empty() || request.headers.count("Authorization") != 1) return false;
    const std::string_view credentials = *request.headers.get("Authorization");
    const auto scheme_end = std::min(credentials.find(' '), credentials.size());
    if (!http::same_name(credentials.substr(0, scheme_end), "Bearer")) return false;
    const std::string_view given = http::trim_blanks(credentials.substr(scheme_end));
    // Hashes have one length, so that not even the token's length shows.
    const auto digest = [](std::string_view text) {
        const crypto::Sha256 hash = crypto::sha256(text);
        return std::string(hash.begin(), hash.end());
    };
    return crypto::equal_constant_time(digest(given), digest(token.reveal()));
}

http::Handler with_bearer(const Secret& token, http::Handler handler) {
    return [token, handler = std::move(handler)](http::Request& request) -> Task<http::Response> {
        if (token.empty()) co_return http::Response::json(404, R"({"error":"Not found"})");
        if (!authorized(request, token)) {
            auto response = http::Response::json(401, R"({"error":"Unauthorized"})");
            response.headers.set("WWW-Authenticate", "Bearer");
            co_return response;
        }
        co_return co_await handler(request);
    };
}

}  // namespace rollcall::admin
