#include "gate/decide_route.hpp"

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/trace.hpp"
#include "gate/identity_headers.hpp"

#include <fmt/format.h>

#include <array>
#include <string>

namespace rollcall::gate {
namespace {

constexpr std::string_view realm = R"(Bearer realm="rollcall")";

http::Response allowed(const Verdict& verdict) {
    http::Response response;
    response.headers.set("Cache-Control", "no-store");
    const Identity& who = verdict.identity;
    const bool is_public = verdict.access == Access::public_;
    const std::string_view access = is_public ? "" : to_string(*verdict.access);
    const std::string_view rule = is_public ? "" : std::string_view(verdict.rule);
    const std::array<std::string_view, identity_headers.size()> values{
        who.user_id, who.subject, who.session, who.organization, who.role, access, rule};
    for (std::size_t i = 0; i < values.size(); ++i) {
        response.headers.set(identity_headers.at(i), values.at(i));
    }
    response.headers.set("X-Rollcall-Path", verdict.path);
    return response;
}

// All reasons and details are words of this program; none needs to be escaped here.
std::string challenge(const Verdict& verdict, DecideConfig config) {
    if (!verdict.token_shown) return std::string(realm);
    std::string text = fmt::format(R"({}, error="invalid_token")", realm);
    if (config.verbose) text += fmt::format(R"(, error_description="{}")", verdict.reason);
    return text;
}

std::string problem(const Verdict& verdict, std::string_view request_id, DecideConfig config) {
    const bool unauthenticated = verdict.answer == Answer::unauthenticated;
    const std::string id = json_string(request_id);
    std::string body = fmt::format(
        R"({{"type":"about:blank","title":"{}","status":{},"instance":{},"request_id":{})",
        unauthenticated ? "Unauthorized" : "Forbidden", unauthenticated ? 401 : 403, id, id);
    if (config.verbose) {
        body +=
            fmt::format(R"(,"code":"{}","detail":{})", verdict.reason, json_string(verdict.detail));
    }
    return body + "}";
}

}  // namespace

http::Response to_response(const Verdict& verdict, std::string_view request_id,
                           DecideConfig config) {
    if (verdict.answer == Answer::allow) return allowed(verdict);
    http::Response response;
    response.status = verdict.answer == Answer::unauthenticated ? 401 : 403;
    response.headers.set("Cache-Control", "no-store");
    response.headers.set("Content-Type", "application/problem+json");
    if (response.status == 401) {
        response.headers.set("WWW-Authenticate", challenge(verdict, config));
    }
    response.body = problem(verdict, request_id, config);
    return response;
}

void add_decide_route(http::Router& router, Decider& decider, Random& random, DecideConfig config) {
    router.add({"*"}, "/gate/decide",
               [&decider, &random, config](http::Request& request) -> Task<http::Response> {
                   const Verdict verdict =
                       co_await decider.decide(request.remote_address, request.headers);
                   auto response = to_response(verdict, request.request_id, config);
                   const auto trace =
                       parse_traceparent(request.headers.get("traceparent").value_or(""));
                   if (trace) response.headers.set("traceparent", trace->child(random).to_header());
                   if (verdict.answer != Answer::allow && log::enabled(log::Level::debug)) {
                       log::debug("gate_denied", {{"reason", verdict.reason},
                                                  {"rule", verdict.rule},
                                                  {"request_id", request.request_id}});
                   }
                   co_return response;
               });
}

}  // namespace rollcall::gate
