#include "clerk/api_channel.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::clerk {
namespace {

using std::chrono::milliseconds;

constexpr int live_limit = 1000;
constexpr int test_limit = 100;

milliseconds between(SteadyTime from, SteadyTime to) {
    return std::chrono::duration_cast<milliseconds>(to - from);
}

ApiError given_up(const http::Attempt& attempt, int attempts) {
    ApiError error;
    if (attempt.response) {
        error = read_api_error(*attempt.response);
    } else {
        error.message = attempt.failure;
    }
    if (attempts > 1) error.message += " (attempt " + std::to_string(attempts) + ")";
    return error;
}

}  // namespace

int rate_limit_of(const Secret& secret_key) {
    return secret_key.reveal().starts_with("sk_live_") ? live_limit : test_limit;
}

http::RateLimit quota_of(const BackendApiConfig& config) {
    ensure(config.rate_share > 0 && config.rate_share <= 1, "clerk: a share of the quota");
    const int limit = config.rate_limit > 0 ? config.rate_limit : rate_limit_of(config.secret_key);
    return http::limit_in_any(quota_window, std::max(1.0, limit * config.rate_share));
}

ApiChannel::ApiChannel(Executor executor, BackendApiConfig config, MetricsRegistry& metrics)
    : config_(std::move(config)),
      client_(executor, {.connections_per_host_max = config_.connections_max,
                         .body_bytes_max = answer_bytes_max,
                         .user_agent = config_.user_agent}),
      upstream_(client_,
                {.name = "clerk",
                 .operations = {"list_users", "count_users", "get_user", "get_instance"},
                 .breaker = {}},
                metrics),
      pacer_(executor, quota_of(config_)) {
    while (config_.url.ends_with('/')) config_.url.pop_back();
    auto& remaining = metrics
                          .gauge("rollcall_upstream_rate_limit_remaining",
                                 "Requests that could go to an upstream at once, of the quota that "
                                 "rollcall keeps to.")
                          .Add({{"upstream", "clerk"}});
    metrics.before_render([&remaining, left = pacer_.gauge()] { remaining.Set(left()); });
}

http::ClientRequest ApiChannel::request(const std::string& target, milliseconds limit,
                                        const TraceContext& trace) {
    http::ClientRequest request;
    request.url = config_.url + target;
    request.headers.add("Authorization", "Bearer " + std::string(config_.secret_key.reveal()));
    request.headers.add("Clerk-API-Version", api_version);
    request.headers.add("Accept", "application/json");
    if (!trace.empty()) request.headers.add("traceparent", trace.child(random_).to_header());
    request.timeout = std::min(config_.timeout, limit);
    return request;
}

Task<ApiResult<http::Response>> ApiChannel::get(std::string_view operation, std::string target,
                                                Patience patience, std::int64_t& requests,
                                                TraceContext trace) {
    const SteadyTime deadline = real_clock().steady() + std::max(patience.total, config_.timeout);
    int faults = 0;
    for (int attempts = 1;; ++attempts) {
        const auto turn = co_await pacer_.turn(deadline);
        if (!turn) {
            co_return std::unexpected(
                ApiError{.kind = turn.error().code, .message = "Clerk: " + turn.error().message});
        }
        const auto left = between(real_clock().steady(), deadline);
        auto attempt = co_await upstream_.send(
            operation, request(target, std::max(left, milliseconds(1)), trace));
        if (attempt.sent) ++requests;
        const SteadyTime now = real_clock().steady();
        const auto decision = decide(attempt, faults, patience, between(now, deadline), random_);
        if (!decision) {
            co_return success_of(std::move(*attempt.response));
        }
        if (decision->hold.count() > 0) {
            pacer_.hold_until(now + decision->hold);
            log::warn("clerk_says_wait",
                      {{"status", attempt.response->status}, {"ms", decision->hold.count()}});
        }
        if (!decision->again) co_return std::unexpected(given_up(attempt, attempts));
        if (decision->counts) ++faults;
        upstream_.count_retry(decision->reason);
        co_await sleep(decision->wait);
    }
}

}  // namespace rollcall::clerk
