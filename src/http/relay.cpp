#include "http/relay.hpp"

#include "base/log.hpp"
#include "http/forwarding.hpp"

#include <utility>

namespace rollcall::http {
namespace {

constexpr std::array<std::string_view, 4> failure_names{"connect", "timeout", "closed",
                                                        "bad_answer"};
constexpr std::chrono::seconds log_pause{1};

// Kept no longer than servers keep theirs: Node's HTTP server closes after five seconds.
constexpr std::chrono::milliseconds kept_idle{4'000};

UpstreamUrl parsed(const std::string& text) {
    auto url = parse_upstream_url(text);
    ensure(url.has_value(), "check_relay_upstream() has taken the upstream");
    return *std::move(url);
}

// The only value of that name, "" when there is none, several or a list.
std::string_view single(const Fields& headers, std::string_view name) {
    if (headers.count(name) != 1) return "";
    const std::string_view value = *headers.get(name);
    return value.find(',') == std::string_view::npos ? value : "";
}

}  // namespace

Result<void> check_relay_upstream(std::string_view url) {
    const auto parts = parse_upstream_url(url);
    if (!parts) return std::unexpected(parts.error());
    if (parts->target != "/") {
        return fail(ErrorCode::bad_configuration,
                    "an upstream has no path: \"" + std::string(url) + "\"");
    }
    return {};
}

RelayMetrics::RelayMetrics(MetricsRegistry& registry)
    : tunnels(registry.gauge("rollcall_gate_proxy_tunnels", "WebSockets open through the proxy.")
                  .Add({})),
      clients_gone(registry
                       .counter("rollcall_gate_proxy_clients_gone_total",
                                "Requests whose client went before it had the whole answer.")
                       .Add({})),
      failures(registry.counter("rollcall_gate_proxy_upstream_failures_total",
                                "Requests the upstream did not answer, or not to the end.")) {
    for (const std::string_view reason : failure_names) {
        failures.Add({{"reason", std::string(reason)}});
    }
}

Relay::State::State(Executor loop, RelayConfig settings, MetricsRegistry& registry)
    : executor(loop),
      config(std::move(settings)),
      upstream(parsed(config.upstream)),
      pool(std::make_shared<ClientPool>(
          loop, ClientConfig{.connections_per_host_max = config.connections_max,
                             .idle_timeout = kept_idle,
                             .ca_file = config.ca_file})),
      metrics(registry) {}

Relay::State::~State() {
    pool->stop();
}

void Relay::State::failed(Failure why, std::string_view what) {
    const auto index = static_cast<std::size_t>(why);
    metrics.failures.Add({{"reason", std::string(failure_names.at(index))}}).Increment();
    const SteadyTime now = real_clock().steady();
    if (now < log_again_) return;
    log_again_ = now + log_pause;
    log::warn("gate_proxy_upstream_failed",
              {{"reason", failure_names.at(index)}, {"message", what}});
}

Relay::Relay(Executor executor, RelayConfig config, MetricsRegistry& registry)
    : state_(std::make_shared<State>(executor, std::move(config), registry)) {}

Relay::~Relay() = default;

Task<std::optional<Response>> Relay::forward(ServerStream& client, Order order) {
    const auto state = state_;  // until the last exchange has ended
    Forwarding forwarding(*state, client, std::move(order));
    co_return co_await forwarding.run();
}

Fields forwarding_fields(const Request& request, const TrustedProxies& trusted) {
    Fields out;
    out.set("X-Forwarded-For", request.client_address);
    const bool by_proxy = trusted.contains(request.remote_address);
    const bool tls = by_proxy && same_name(single(request.headers, "X-Forwarded-Proto"), "https");
    out.set("X-Forwarded-Proto", tls ? "https" : "http");
    out.set("X-Forwarded-Host", request.headers.get("Host").value_or(""));
    out.set("X-Request-Id", request.request_id);
    return out;
}

}  // namespace rollcall::http
