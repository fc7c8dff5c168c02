#include "alerts/sink.hpp"

#include "base/result.hpp"
#include "base/trace.hpp"

#include <fmt/format.h>
#include <utility>

namespace rollcall::alerts {
namespace {

http::ClientConfig client_config(const SinkConfig& config) {
    return {.connections_per_host_max = 1,
            .body_bytes_max = 64UL * 1024,
            .user_agent = config.user_agent};
}

bool worth_another_try(unsigned status) {
    return status == 408 || status == 429 || status >= 500;
}

}  // namespace

Sink::Sink(Executor executor, SinkConfig config, MetricsRegistry& metrics)
    : config_(std::move(config)),
      client_(executor, client_config(config_)),
      upstream_(client_, {.name = "alerts", .operations = {"post"}, .breaker = {}}, metrics) {}

Task<Delivery> Sink::post(std::string body) {
    ensure(configured(), "alerts: there is a URL to post to");
    http::ClientRequest request;
    request.method = "POST";
    request.url = std::string(config_.url.reveal());
    request.headers.set("Content-Type", "application/json");
    const TraceContext trace = new_trace(random_);
    request.headers.set("traceparent", trace.to_header());
    request.body = std::move(body);
    request.timeout = config_.timeout;
    http::Attempt attempt = co_await upstream_.send("post", std::move(request));
    if (!attempt.response) {
        co_return Delivery{Delivery::Result::failed, std::move(attempt.failure), attempt.wait,
                           trace.trace_id()};
    }
    const unsigned status = attempt.response->status;
    if (status >= 200 && status < 300) {
        co_return Delivery{Delivery::Result::delivered, "", {}, trace.trace_id()};
    }
    co_return Delivery{
        worth_another_try(status) ? Delivery::Result::failed : Delivery::Result::refused,
        fmt::format("status {}", status),
        {},
        trace.trace_id()};
}

}  // namespace rollcall::alerts
