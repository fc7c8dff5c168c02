#include "gate/verdict_answer.hpp"

#include "base/failpoint.hpp"
#include "base/json.hpp"
#include "gate/identity_headers.hpp"

#include <fmt/format.h>

#include <array>
#include <string>

namespace rollcall::gate {
namespace {

constexpr std::string_view realm = R"(Bearer realm="rollcall")";
constexpr std::string_view again_after = "5";

std::string_view title(unsigned status) {
    switch (status) {
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 405:
            return "Method Not Allowed";
        case 503:
            return "Service Unavailable";
        default:
            return "Forbidden";
    }
}

// All reasons and details are words of this program; none needs to be escaped here.
std::string challenge(const Verdict& verdict, bool verbose) {
    if (!verdict.token_shown) return std::string(realm);
    std::string text = fmt::format(R"({}, error="invalid_token")", realm);
    if (verbose) text += fmt::format(R"(, error_description="{}")", verdict.reason);
    return text;
}

std::string problem(const Verdict& verdict, unsigned status, std::string_view request_id,
                    bool verbose) {
    const std::string id = json_string(request_id);
    std::string body = fmt::format(
        R"({{"type":"about:blank","title":"{}","status":{},"instance":{},"request_id":{})",
        title(status), status, id, id);
    if (verbose) {
        body +=
            fmt::format(R"(,"code":"{}","detail":{})", verdict.reason, json_string(verdict.detail));
    }
    return body + "}";
}

}  // namespace

http::Fields identity_fields(const Verdict& verdict, http::Fields fields) {
    const Identity& who = verdict.identity;
    const bool is_public = verdict.access == Access::public_;
    const std::string_view access = is_public ? "" : to_string(*verdict.access);
    const std::string_view rule = is_public ? "" : std::string_view(verdict.rule);
    const std::array<std::string_view, identity_headers.size()> values{
        who.user_id, who.subject, who.session, who.organization, who.role, access, rule};
    for (std::size_t i = 0; i < values.size(); ++i) {
        fields.add(identity_headers.at(i), values.at(i));
    }
    failpoint("decide.before_answer");
    fields.add("X-Rollcall-Path", verdict.path);
    return fields;
}

http::Response refusal(const Verdict& verdict, unsigned status, std::string_view request_id,
                       bool verbose) {
    http::Response response;
    response.status = status;
    response.headers.set("Cache-Control", "no-store");
    response.headers.set("Content-Type", "application/problem+json");
    if (status == 401) response.headers.set("WWW-Authenticate", challenge(verdict, verbose));
    if (status == 503) response.headers.set("Retry-After", again_after);
    response.body = problem(verdict, status, request_id, verbose);
    return response;
}

}  // namespace rollcall::gate
