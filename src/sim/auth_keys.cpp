#include "sim/auth_keys.hpp"

#include "crypto/digest.hpp"
#include "crypto/encoding.hpp"
#include "sim/auth_error.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace rollcall::sim {

namespace json = boost::json;

namespace {

constexpr std::string_view secret_prefix = "sb_secret_";
constexpr std::string_view own_secret_prefix = "sb_secret_rollcall_";
constexpr std::int64_t never = 4'102'444'800;  // the year 2100

std::string base64url(std::string_view bytes) {
    auto text = crypto::base64_encode(bytes);
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    text.erase(std::min(text.find('='), text.size()));
    return text;
}

// The claims of something that has the form of a JWT; the signature is not looked at.
std::optional<json::object> claims_of(std::string_view token) {
    const auto first = token.find('.');
    const auto second = token.find('.', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    std::string encoded(token.substr(first + 1, second - first - 1));
    std::ranges::replace(encoded, '-', '+');
    std::ranges::replace(encoded, '_', '/');
    encoded.append((4 - encoded.size() % 4) % 4, '=');
    const auto text = crypto::base64_decode(encoded);
    if (!text) return std::nullopt;
    boost::system::error_code error;
    auto claims = json::parse(*text, error);
    if (error || !claims.is_object()) return std::nullopt;
    return std::move(claims.get_object());
}

std::string text_of(const json::object& claims, std::string_view name) {
    const auto* value = claims.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// "Bearer x" or "bearer x", and nothing else.
std::optional<std::string_view> bearer_token(const http::Request& request) {
    const auto header = request.headers.get("authorization");
    if (!header || !(header->starts_with("Bearer ") || header->starts_with("bearer "))) {
        return std::nullopt;
    }
    const auto token = header->substr(7);
    if (token.empty() || token.find(' ') != std::string_view::npos) return std::nullopt;
    return token;
}

std::unexpected<Error> misconfigured(std::string message) {
    return fail(ErrorCode::bad_configuration, std::move(message));
}

}  // namespace

std::string made_up_jwt(std::string_view role, std::int64_t expires_at) {
    const json::object header{{"alg", "HS256"}, {"typ", "JWT"}};
    const json::object claims{{"iss", "rollcall-simulator"}, {"role", role}, {"exp", expires_at}};
    const auto content =
        base64url(json::serialize(header)) + '.' + base64url(json::serialize(claims));
    const auto mac = crypto::HmacKey("rollcall simulator").sign(content);
    return content + '.' + base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

std::vector<std::string> made_up_auth_keys() {
    return {made_up_jwt("service_role", never), std::string(own_secret_prefix) + "simulator"};
}

Result<void> check_auth_key(std::string_view key) {
    if (key.starts_with(own_secret_prefix) && key.size() > own_secret_prefix.size()) return {};
    const auto claims = claims_of(key);
    if (!claims || text_of(*claims, "role").empty()) {
        return misconfigured(
            "a key of the simulated Supabase must be a JWT with a role, or begin with "
            "sb_secret_rollcall_");
    }
    if (claims->contains("ref")) {
        return misconfigured(
            "the simulator refuses the keys of real Supabase projects: give it a made-up one");
    }
    return {};
}

bool AuthKeys::known(std::string_view key) const {
    return std::ranges::find(keys_, key) != keys_.end();
}

http::Response AuthKeys::refusal_of_unknown(const http::Request& request) const {
    if (bare_) return to_response(auth_errors::bad_jwt("signature is invalid"), request);
    return gateway_refusal("Invalid API key",
                           "Double check your Supabase `anon` or `service_role` API key.");
}

std::optional<http::Response> AuthKeys::refuse(const http::Request& request, SystemTime now) const {
    if (bare_) return refuse_token(request, now);
    const auto key = request.headers.get("apikey");
    if (!key) {
        return gateway_refusal("No API key found in request",
                               "No `apikey` request header or url param was found.");
    }
    if (!known(*key)) return refusal_of_unknown(request);
    if (!key->starts_with(secret_prefix)) return refuse_token(request, now);
    const auto agent = request.headers.get("user-agent");
    if (agent && agent->starts_with("Mozilla/")) {
        return gateway_refusal("Forbidden use of secret API key in browser",
                               "Secret API keys can only be used in a protected environment and "
                               "should never be used in a browser.");
    }
    // The gateway puts a token of its own in place of an equal or absent one.
    if (!request.headers.get("authorization") || bearer_token(request) == key) return std::nullopt;
    return refuse_token(request, now);
}

std::optional<http::Response> AuthKeys::refuse_token(const http::Request& request,
                                                     SystemTime now) const {
    const auto no = [&](const AuthError& error) { return to_response(error, request); };
    const auto token = bearer_token(request);
    if (!token) return no(auth_errors::no_authorization());
    const auto claims = claims_of(*token);
    if (!claims) {
        return no(auth_errors::bad_jwt(
            "token is malformed: token contains an invalid number of segments"));
    }
    if (!known(*token)) return no(auth_errors::bad_jwt("signature is invalid"));
    const auto* expires = claims->if_contains("exp");
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    if (expires != nullptr && expires->is_int64() && expires->get_int64() <= seconds) {
        return no(auth_errors::bad_jwt("token has invalid claims: token is expired"));
    }
    const auto role = text_of(*claims, "role");
    if (role != "service_role" && role != "supabase_admin") return no(auth_errors::not_admin());
    return std::nullopt;
}

}  // namespace rollcall::sim
