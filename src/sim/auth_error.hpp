// How Supabase Auth says no. The form of the body depends on the caller: with a known
// X-Supabase-Api-Version it is {"code", "message"}, without one {"code": status, "error_code",
// "msg"}; and only without one does a unique violation show as {"code":"23505", …}. Gateways before
// it have forms of their own.
#pragma once

#include "http/message.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rollcall::sim {

// What PostgreSQL says when a unique constraint stands in the way.
struct UniqueViolation {
    std::string constraint;
    std::string column;
    std::string value;
};

struct AuthError {
    unsigned status = 400;
    std::string code;
    std::string message;
    std::optional<UniqueViolation> violation;  // the cause of a 500
};

// The answer that a caller gets. `opaque` hides the cause whatever the caller asked for.
[[nodiscard]] http::Response to_response(const AuthError& error, const http::Request& request,
                                         bool opaque = false);

// {"message", "hint"} with 401, from the gateway that checks the key before Supabase Auth.
[[nodiscard]] http::Response gateway_refusal(std::string_view message, std::string_view hint);

namespace auth_errors {

[[nodiscard]] AuthError validation_failed(std::string message);
[[nodiscard]] AuthError bad_json(std::string_view reason);
[[nodiscard]] AuthError email_exists();
[[nodiscard]] AuthError phone_exists();
[[nodiscard]] AuthError user_not_found();
[[nodiscard]] AuthError no_uuid();
[[nodiscard]] AuthError no_authorization();
[[nodiscard]] AuthError bad_jwt(std::string_view reason);
[[nodiscard]] AuthError not_admin();
[[nodiscard]] AuthError over_request_rate_limit();
[[nodiscard]] AuthError unexpected_failure(std::string message);
[[nodiscard]] AuthError violated(std::string message, UniqueViolation violation);

}  // namespace auth_errors

}  // namespace rollcall::sim
