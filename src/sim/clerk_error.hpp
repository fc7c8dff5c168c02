// How Clerk's Backend API says no: a status and {"errors":[{message, long_message, code, meta}],
// "clerk_trace_id"}. Texts are those seen in the wild where they are known.
#pragma once

#include <boost/json/value.hpp>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sim {

struct ClerkError {
    struct Item {
        std::string code;
        std::string message;
        std::string long_message;
        std::string param_name;  // "": no meta
    };
    unsigned status = 400;
    std::vector<Item> items;
};

// What a handler answers: a body for 200, or an error.
using ClerkReply = std::expected<boost::json::value, ClerkError>;

[[nodiscard]] boost::json::value to_json(const ClerkError& error, std::string_view trace_id);

namespace errors {

[[nodiscard]] ClerkError authorization_header_invalid();
[[nodiscard]] ClerkError key_invalid();
[[nodiscard]] ClerkError api_version_invalid(std::string_view reason);
[[nodiscard]] ClerkError body_invalid();
[[nodiscard]] ClerkError not_found();
[[nodiscard]] ClerkError user_not_found(std::string_view id);
[[nodiscard]] ClerkError email_not_found(std::string_view id);
[[nodiscard]] ClerkError session_not_found(std::string_view id);
[[nodiscard]] ClerkError param_missing(std::string_view param);
[[nodiscard]] ClerkError format_invalid(std::string_view param, std::string_view long_message);
[[nodiscard]] ClerkError param_unknown(std::string_view param);
[[nodiscard]] ClerkError identifier_exists(std::string_view param);
[[nodiscard]] ClerkError too_many_requests();
[[nodiscard]] ClerkError internal();
[[nodiscard]] ClerkError service_unavailable();

}  // namespace errors

}  // namespace rollcall::sim
