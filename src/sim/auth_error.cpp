#include "sim/auth_error.hpp"

#include "base/ascii.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace rollcall::sim {

namespace json = boost::json;

namespace {

constexpr std::string_view version_header = "X-Supabase-Api-Version";
constexpr std::string_view newest_version = "2024-01-01";

// Any date from the newest version on counts as that version; anything else as none.
bool has_version(const http::Request& request) {
    const auto version = request.headers.get(version_header);
    constexpr std::string_view form = "dddd-dd-dd";
    if (!version || version->size() != form.size()) return false;
    for (std::size_t at = 0; at < form.size(); ++at) {
        if (form[at] == 'd' ? !is_digit((*version)[at]) : (*version)[at] != form[at]) return false;
    }
    return *version >= newest_version;
}

json::object body_of(const AuthError& error, const http::Request& request, bool versioned,
                     bool opaque) {
    if (versioned) return {{"code", error.code}, {"message", error.message}};
    if (error.violation && !opaque) {
        const auto& [constraint, column, value] = *error.violation;
        return {{"code", "23505"},
                {"message", "duplicate key value violates unique constraint \"" + constraint + '"'},
                {"detail", "Key (" + column + ")=(" + value + ") already exists."}};
    }
    json::object body{{"code", error.status}, {"error_code", error.code}, {"msg", error.message}};
    if (error.status >= 500) body["error_id"] = request.request_id;
    return body;
}

}  // namespace

http::Response to_response(const AuthError& error, const http::Request& request, bool opaque) {
    const bool versioned = has_version(request);
    auto response = http::Response::json(
        error.status, json::serialize(body_of(error, request, versioned, opaque)));
    if (versioned) response.headers.set(version_header, newest_version);
    response.headers.set("x-sb-error-code", error.code);
    return response;
}

http::Response gateway_refusal(std::string_view message, std::string_view hint) {
    return http::Response::json(
        401, json::serialize(json::object{{"message", message}, {"hint", hint}}));
}

namespace auth_errors {

AuthError validation_failed(std::string message) {
    return {400, "validation_failed", std::move(message), {}};
}

AuthError bad_json(std::string_view reason) {
    return {400, "bad_json", "Could not parse request body as JSON: " + std::string(reason), {}};
}

AuthError email_exists() {
    return {422, "email_exists", "A user with this email address has already been registered", {}};
}

AuthError phone_exists() {
    return {422, "phone_exists", "Phone number already registered by another user", {}};
}

AuthError user_not_found() {
    return {404, "user_not_found", "User not found", {}};
}

AuthError no_uuid() {
    return {404, "validation_failed", "user_id must be an UUID", {}};
}

AuthError no_authorization() {
    return {401, "no_authorization", "This endpoint requires a valid Bearer token", {}};
}

AuthError bad_jwt(std::string_view reason) {
    return {403,
            "bad_jwt",
            "invalid JWT: unable to parse or verify signature, " + std::string(reason),
            {}};
}

AuthError not_admin() {
    return {403, "not_admin", "User not allowed", {}};
}

AuthError over_request_rate_limit() {
    return {429, "over_request_rate_limit", "Request rate limit reached", {}};
}

AuthError unexpected_failure(std::string message) {
    return {500, "unexpected_failure", std::move(message), {}};
}

AuthError violated(std::string message, UniqueViolation violation) {
    auto error = unexpected_failure(std::move(message));
    error.violation = std::move(violation);
    return error;
}

}  // namespace auth_errors

}  // namespace rollcall::sim
