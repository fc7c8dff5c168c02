#include "supabase/auth_error.hpp"

#include "base/json_document.hpp"
#include "http/answer.hpp"

#include <array>
#include <utility>

namespace rollcall::supabase {
namespace {

// PostgreSQL's integrity_constraint_violation, which Auth passes on to clients of its first API
// version; and the one of them that says that a value is taken.
constexpr std::string_view constraint_violations = "23";
constexpr std::string_view unique_violation = "23505";

// Auth's code, wherever it stands: `error_code` beside a number, `code` in the later form, or only
// in a header. "" when the body is no object with one of them.
std::string code_of(const http::Response& response) {
    JsonDocument document;
    const auto root = document.parse(response.body);
    simdjson::dom::object object;
    if (root && root->get_object().get(object) == simdjson::SUCCESS) {
        for (const char* name : {"error_code", "code"}) {
            std::string_view code;
            if (object[name].get_string().get(code) == simdjson::SUCCESS && !code.empty()) {
                std::string word = http::loggable_word(code);
                return word.empty() ? "unknown" : word;
            }
        }
    }
    return http::loggable_word(response.headers.get("x-sb-error-code").value_or(""));
}

AuthFault of_refusal(unsigned status, std::string_view code) {
    constexpr std::array<std::pair<std::string_view, AuthFault>, 8> known{
        {{"user_not_found", AuthFault::not_found},
         {"email_exists", AuthFault::email_taken},
         {"phone_exists", AuthFault::phone_taken},
         {"over_request_rate_limit", AuthFault::rate_limited},
         // Two requests at once in its database: neither is to blame, nor is who asked.
         {"conflict", AuthFault::opaque},
         {"request_timeout", AuthFault::away},
         {"hook_timeout", AuthFault::away},
         {"hook_timeout_after_retry", AuthFault::away}}};
    // A gateway refuses a key in its own words.
    if (status == 401) return AuthFault::key_refused;
    // Whatever the word: the request came too slowly, or too early.
    if (code.empty() || status == 408 || status == 425) return AuthFault::away;
    for (const auto& [name, fault] : known) {
        if (code == name) return fault;
    }
    return status == 403 ? AuthFault::key_refused : AuthFault::invalid;
}

bool is_constraint_violation(std::string_view code) {
    return code.size() == unique_violation.size() && code.starts_with(constraint_violations);
}

AuthFault fault_of(unsigned status, std::string_view code) {
    if (status == 429) return AuthFault::rate_limited;
    if (status >= 400 && status < 500) return of_refusal(status, code);
    if (status == 500 && is_constraint_violation(code)) {
        return code == unique_violation ? AuthFault::taken : AuthFault::constrained;
    }
    if (status == 500 && code == "unexpected_failure") return AuthFault::opaque;
    return AuthFault::away;
}

std::string text_of(const AuthError& error) {
    const std::string status = std::to_string(error.status);
    std::string answered = error.code.empty()
                               ? "status " + status + " without an error of Supabase Auth's"
                               : "Supabase Auth answered " + status + " (" + error.code + ")";
    if (error.fault != AuthFault::key_refused) return answered;
    return "Supabase refuses the key: " + answered + "; check SUPABASE_SERVICE_ROLE_KEY";
}

}  // namespace

std::string_view to_string(AuthFault fault) {
    switch (fault) {
        case AuthFault::away:
            return "away";
        case AuthFault::rate_limited:
            return "rate_limited";
        case AuthFault::key_refused:
            return "key_refused";
        case AuthFault::not_found:
            return "not_found";
        case AuthFault::email_taken:
            return "email_taken";
        case AuthFault::phone_taken:
            return "phone_taken";
        case AuthFault::taken:
            return "taken";
        case AuthFault::opaque:
            return "opaque";
        case AuthFault::constrained:
            return "constrained";
        case AuthFault::invalid:
            return "invalid";
    }
    return "";
}

bool AuthError::outcome_unknown() const {
    return sent && fault == AuthFault::away;
}

bool AuthError::passes() const {
    return fault == AuthFault::away || fault == AuthFault::rate_limited ||
           fault == AuthFault::key_refused;
}

AuthError read_auth_error(const http::Response& response) {
    AuthError error;
    error.status = response.status;
    error.code = code_of(response);
    error.fault = fault_of(error.status, error.code);
    error.message = text_of(error);
    return error;
}

AuthError strange_answer(std::string_view what) {
    AuthError error;
    error.status = 200;
    error.message = "Supabase Auth answered 200 with something that is not " + std::string(what) +
                    "; is SUPABASE_URL right?";
    return error;
}

bool is_healthy(const http::Response& response) {
    if (response.status < 500) return true;
    const AuthFault fault = read_auth_error(response).fault;
    return fault == AuthFault::taken || fault == AuthFault::constrained;
}

}  // namespace rollcall::supabase
