// What the gate says of a request: whether it may go on, why not, and who it is. A plain value; one
// that nobody has filled is a denial.
#pragma once

#include "gate/policy.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::gate {

enum class Answer : std::uint8_t {
    allow,            // 200
    unauthenticated,  // 401: no token, or one that is not believed
    forbidden,        // 403: known, and not allowed; or what cannot be judged
};

// Empty on public routes: nobody has looked who it is.
struct Identity {
    std::string user_id;  // internal
    std::string subject;  // user_…
    std::string session;
    std::string organization;
    std::string role;  // in the users table
};

// Reasons beside those of tokens (clerk/token_reason) and standing (gate/standing_verdict).
inline constexpr std::string_view reason_ok = "ok";
inline constexpr std::string_view reason_policy_error = "policy_error";  // it cannot be judged
inline constexpr std::string_view reason_untrusted_proxy = "untrusted_proxy";
inline constexpr std::string_view reason_bad_target = "bad_target";
inline constexpr std::string_view reason_no_trace = "method_not_allowed";
inline constexpr std::string_view reason_no_rule = "no_rule";  // default = "deny"

struct Verdict {
    Answer answer = Answer::forbidden;
    std::string_view reason = reason_policy_error;  // static; stable names
    std::string_view detail{};     // static text for a person; nothing of the request
    bool token_shown = false;      // a bad one, where the answer is unauthenticated
    std::optional<Access> access;  // nothing: it did not come to a rule
    std::string rule{};            // its id, "default", "" as above
    std::string path{};            // canonical; "" as above
    Identity identity{};
};

}  // namespace rollcall::gate
