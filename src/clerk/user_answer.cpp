#include "clerk/user_answer.hpp"

#include "clerk/json_document.hpp"

#include <algorithm>
#include <string>

namespace rollcall::clerk {
namespace {

// A word of Clerk's that may stand in a log line: anything else may be somebody's data.
std::string word(std::string_view text) {
    const bool plain = !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
    return plain ? std::string(text) : std::string("unknown");
}

// Clerk's {"errors":[{"code",…}],"clerk_trace_id"}.
struct ClerkError {
    bool is_one = false;
    std::string code = "unknown";  // of the first
    std::string trace_id = "unknown";

    [[nodiscard]] std::string text() const { return code + ", trace " + trace_id; }
};

ClerkError read_error(const http::Response& response) {
    ClerkError error;
    if (const auto trace = response.headers.get("x-clerk-trace-id")) error.trace_id = word(*trace);
    JsonDocument document;
    const auto root = document.parse(response.body);
    if (!root) return error;
    std::string_view text;
    if ((*root)["clerk_trace_id"].get_string().get(text) == simdjson::SUCCESS) {
        error.trace_id = word(text);
    }
    if ((*root)["errors"].at(0)["code"].get_string().get(text) == simdjson::SUCCESS) {
        error.is_one = true;
        error.code = word(text);
    }
    return error;
}

std::string retry_hint(const http::Response& response) {
    const auto seconds = response.headers.get("Retry-After");
    return seconds ? ", retry after " + word(*seconds) + " s" : "";
}

}  // namespace

Result<std::optional<User>> read_user_answer(const http::Response& response, std::string_view id) {
    if (response.status == 200) {
        auto user = parse_user(response.body);
        if (user && user->id == id) return std::optional<User>(*std::move(user));
        return fail(ErrorCode::unavailable,
                    "Clerk answered 200 with something that is not the user asked for; is "
                    "clerk.api_url right?");
    }
    const ClerkError error = read_error(response);
    if (response.status == 404 && error.code == "resource_not_found") return std::nullopt;
    if (response.status == 401) {
        return fail(ErrorCode::unauthenticated,
                    "Clerk refuses the secret key (" + error.text() + "); check CLERK_SECRET_KEY");
    }
    const std::string status = std::to_string(response.status);
    if (!error.is_one) {
        return fail(ErrorCode::unavailable,
                    "status " + status + " without an error of Clerk's" + retry_hint(response));
    }
    return fail(ErrorCode::unavailable,
                "Clerk answered " + status + " (" + error.text() + ")" + retry_hint(response));
}

}  // namespace rollcall::clerk
