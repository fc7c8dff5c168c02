#include "gate/decide_route.hpp"

#include "base/log.hpp"
#include "base/trace.hpp"
#include "gate/verdict_answer.hpp"
#include "jobs/reason.hpp"

#include <exception>
#include <utility>

namespace rollcall::gate {
namespace {

http::Response answer(const Verdict& verdict, http::Request& request, Random& random,
                      DecideConfig config) {
    if (verdict.answer != Answer::allow && log::enabled(log::Level::debug)) {
        log::debug("gate_denied", {{"reason", verdict.reason},
                                   {"rule", verdict.rule},
                                   {"request_id", request.request_id}});
    }
    auto response = to_response(verdict, request.request_id, config, std::move(request.spare));
    const auto trace = parse_traceparent(request.headers.get("traceparent").value_or(""));
    if (trace) response.headers.set("traceparent", trace->child(random).to_header());
    return response;
}

}  // namespace

http::Response to_response(const Verdict& verdict, std::string_view request_id, DecideConfig config,
                           http::Fields spare) {
    if (verdict.answer != Answer::allow) {
        return refusal(verdict, verdict.answer == Answer::unauthenticated ? 401 : 403, request_id,
                       config.verbose);
    }
    http::Response response{
        .status = 200, .headers = identity_fields(verdict, std::move(spare)), .body = {}};
    response.headers.set("Cache-Control", "no-store");
    return response;
}

void add_decide_route(http::Router& router, Decider& decider, Random& random, DecideConfig config) {
    router.add(
        {"*"}, "/gate/decide",
        [&decider, &random, config](http::Request& request) -> Task<http::Response> {
            try {
                co_return answer(co_await decider.decide(request.remote_address, request.headers),
                                 request, random, config);
            } catch (const std::exception& failure) {
                log::error("gate_answer_failed", {{"reason", jobs::reason_of(failure)}});
            }
            co_return to_response({.detail = "the answer failed"}, request.request_id, config);
        });
}

}  // namespace rollcall::gate
