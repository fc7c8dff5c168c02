#include "sim/clerk_error.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace rollcall::sim {

namespace json = boost::json;

json::value to_json(const ClerkError& error, std::string_view trace_id) {
    json::array items;
    for (const auto& item : error.items) {
        json::object object{
            {"message", item.message}, {"long_message", item.long_message}, {"code", item.code}};
        if (!item.param_name.empty()) object["meta"] = {{"param_name", item.param_name}};
        items.emplace_back(std::move(object));
    }
    return json::object{{"errors", std::move(items)}, {"clerk_trace_id", trace_id}};
}

namespace errors {

namespace {

ClerkError one(unsigned status, std::string_view code, std::string_view message,
               std::string_view long_message, std::string_view param = {}) {
    return {
        status,
        {{std::string(code), std::string(message), std::string(long_message), std::string(param)}}};
}

ClerkError missing(std::string_view kind, std::string_view id) {
    return one(404, "resource_not_found", "not found",
               "No " + std::string(kind) + " was found with id " + std::string(id));
}

}  // namespace

ClerkError authorization_header_invalid() {
    return one(401, "authorization_header_format_invalid", "Invalid Authorization header format",
               "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'");
}

ClerkError key_invalid() {
    constexpr std::string_view text =
        "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is "
        "correct.";
    return one(401, "clerk_key_invalid", text, text);
}

ClerkError api_version_invalid(std::string_view reason) {
    return one(400, "api_version_invalid", "invalid API version",
               "Invalid Clerk API version: " + std::string(reason));
}

ClerkError body_invalid() {
    return one(400, "request_body_invalid", "Request body invalid", "Request body invalid");
}

ClerkError not_found() {
    return one(404, "resource_not_found", "not found", "Resource not found");
}

ClerkError user_not_found(std::string_view id) {
    return missing("user", id);
}

ClerkError email_not_found(std::string_view id) {
    return missing("email address", id);
}

ClerkError session_not_found(std::string_view id) {
    return missing("session", id);
}

ClerkError param_missing(std::string_view param) {
    return one(422, "form_param_missing", "is missing", std::string(param) + " must be included.",
               param);
}

ClerkError format_invalid(std::string_view param, std::string_view long_message) {
    return one(422, "form_param_format_invalid", "is invalid", long_message, param);
}

ClerkError param_unknown(std::string_view param) {
    return one(422, "form_param_unknown", "is unknown",
               std::string(param) + " is not a valid parameter for this request.", param);
}

ClerkError identifier_exists(std::string_view param) {
    std::string_view noun = param;
    if (param == "email_address") noun = "email address";
    if (param == "phone_number") noun = "phone number";
    if (param == "web3_wallet") noun = "web3 wallet";
    if (param == "external_id") noun = "external ID";
    const auto text = "That " + std::string(noun) + " is taken. Please try another.";
    return one(422, "form_identifier_exists", text, text, param);
}

ClerkError too_many_requests() {
    return one(429, "too_many_requests", "Too many requests", "Too many requests, retry later");
}

ClerkError internal() {
    return one(500, "internal_clerk_error", "Oops, an unexpected error occurred",
               "There was an internal error on our servers. We've been notified and are working "
               "on fixing it.");
}

ClerkError service_unavailable() {
    return one(503, "service_unavailable", "Service unavailable",
               "The service is temporarily unavailable, please try again later");
}

}  // namespace errors

}  // namespace rollcall::sim
