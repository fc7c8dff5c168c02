#include "gate/proxy.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "base/trace.hpp"
#include "gate/identity_headers.hpp"
#include "gate/verdict_answer.hpp"
#include "jobs/work_loop.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace rollcall::gate {
namespace {

class Proxy {
public:
    Proxy(Decider& decider, http::Relay& relay, Random& random, ProxyConfig config)
        : decider_(decider), relay_(relay), random_(random), config_(std::move(config)) {}

    Task<std::optional<http::Response>> handle(http::ServerStream& client) {
        const http::Request& request = client.request();
        if (request.method == "TRACE") co_return no_trace(request);
        std::optional<http::Relay::Order> order;
        Verdict verdict;
        const auto decided = co_await jobs::caught(decide(request, verdict, order));
        if (!decided) {
            log::error("gate_answer_failed", {{"reason", decided.error().message}});
            verdict = {.detail = "the answer failed"};
        }
        if (decided && order) co_return co_await relay_.forward(client, *std::move(order));
        co_return refusal(verdict, proxy_status(verdict), request.request_id, config_.verbose);
    }

private:
    // RFC 9110, 9.3.8: an application that answers it shows the request's token to whoever reads
    // the answer.
    [[nodiscard]] http::Response no_trace(const http::Request& request) const {
        const Verdict verdict{.reason = reason_no_trace, .detail = "TRACE is not forwarded"};
        auto refused = refusal(verdict, 405, request.request_id, config_.verbose);
        refused.headers.set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        return refused;
    }

    // `order` is complete, or nothing: then the verdict says why.
    Task<> decide(const http::Request& request, Verdict& verdict,
                  std::optional<http::Relay::Order>& order) {
        verdict = co_await decider_.decide(request);
        if (verdict.answer != Answer::allow) {
            log::debug("gate_denied", {{"reason", verdict.reason},
                                       {"rule", verdict.rule},
                                       {"request_id", request.request_id}});
            co_return;
        }
        const std::string query = request.query.empty() ? "" : "?" + request.query;
        http::Relay::Order complete{.target = verdict.path + query,
                                    .fields = stripped(request.headers),
                                    .own = own_fields(request, verdict)};
        failpoint("proxy.before_forward");
        order = std::move(complete);
    }

    [[nodiscard]] http::Fields own_fields(const http::Request& request, const Verdict& verdict) {
        http::Fields own = identity_fields(verdict);
        const http::Fields forwarding = http::forwarding_fields(request, config_.trusted_proxies);
        for (const auto& [name, value] : forwarding.all()) own.set(name, value);
        const auto trace = parse_traceparent(request.headers.get("traceparent").value_or(""));
        if (trace) own.set("traceparent", trace->child(random_).to_header());
        return own;
    }

    Decider& decider_;
    http::Relay& relay_;
    Random& random_;
    const ProxyConfig config_;
};

}  // namespace

unsigned proxy_status(const Verdict& verdict) {
    if (verdict.answer == Answer::unauthenticated) return 401;
    if (verdict.reason == reason_bad_target) return 400;
    const bool later = verdict.reason == reason_policy_error ||
                       verdict.reason == to_string(StandingRefusal::sync_stale) ||
                       verdict.reason == clerk::to_string(clerk::TokenReason::jwks_unavailable);
    return later ? 503 : 403;
}

void add_proxy(http::Router& router, Decider& decider, http::Relay& relay, Random& random,
               ProxyConfig config) {
    const auto proxy = std::make_shared<Proxy>(decider, relay, random, std::move(config));
    router.add_stream("proxy",
                      [proxy](http::ServerStream& client) { return proxy->handle(client); });
}

}  // namespace rollcall::gate
