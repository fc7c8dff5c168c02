#include "gate/decide_route.hpp"

#include "base/log.hpp"
#include "base/trace.hpp"
#include "gate/verdict_answer.hpp"
#include "jobs/work_loop.hpp"

#include <utility>

namespace rollcall::gate {
namespace {

// `response` is complete, or as it was.
Task<> answer(Decider& decider, Random& random, const http::Request& request, DecideConfig config,
              http::Response& response) {
    const Verdict verdict = co_await decider.decide(request.remote_address, request.headers);
    if (verdict.answer != Answer::allow && log::enabled(log::Level::debug)) {
        log::debug("gate_denied", {{"reason", verdict.reason},
                                   {"rule", verdict.rule},
                                   {"request_id", request.request_id}});
    }
    auto complete = to_response(verdict, request.request_id, config);
    const auto trace = parse_traceparent(request.headers.get("traceparent").value_or(""));
    if (trace) complete.headers.set("traceparent", trace->child(random).to_header());
    response = std::move(complete);
}

}  // namespace

http::Response to_response(const Verdict& verdict, std::string_view request_id,
                           DecideConfig config) {
    if (verdict.answer != Answer::allow) {
        return refusal(verdict, verdict.answer == Answer::unauthenticated ? 401 : 403, request_id,
                       config.verbose);
    }
    http::Response response{.status = 200, .headers = identity_fields(verdict), .body = {}};
    response.headers.set("Cache-Control", "no-store");
    return response;
}

void add_decide_route(http::Router& router, Decider& decider, Random& random, DecideConfig config) {
    router.add({"*"}, "/gate/decide",
               [&decider, &random, config](http::Request& request) -> Task<http::Response> {
                   http::Response response;
                   const auto answered =
                       co_await jobs::caught(answer(decider, random, request, config, response));
                   if (!answered) {
                       log::error("gate_answer_failed", {{"reason", answered.error().message}});
                       Verdict none;
                       none.detail = "the answer failed";
                       response = to_response(none, request.request_id, config);
                   }
                   co_return response;
               });
}

}  // namespace rollcall::gate
