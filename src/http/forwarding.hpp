// One request on its way through a Relay: the request goes up and the answer down at the same time.
// Inside http/ only.
#pragma once

#include "http/client_stream.hpp"
#include "http/relay.hpp"
#include "http/upstream_url.hpp"
#include "http/watchdog.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace rollcall::http {

struct Relay::State {
    State(Executor executor, RelayConfig config, MetricsRegistry& registry);
    ~State();
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    enum class Failure : std::uint8_t { connect, timeout, closed, malformed };
    void failed(Failure why, std::string_view what);

    const Executor executor;
    const RelayConfig config;
    const UpstreamUrl upstream;
    const std::shared_ptr<ClientPool> pool;
    RelayMetrics metrics;

private:
    SteadyTime log_again_{};
};

class Forwarding {
public:
    Forwarding(Relay::State& relay, ServerStream& client, Relay::Order order);

    Task<std::optional<Response>> run();

private:
    using Failure = Relay::State::Failure;

    [[nodiscard]] std::string request_head(const Relay::Order& order) const;
    Task<bool> connect();
    // Both ways at once; then whether it has to be tried again, on a fresh connection.
    Task<bool> exchange();
    Task<> send_request();
    Task<bool> send_body();
    Task<> receive_answer();
    Task<> pass_answer();
    void fail_upstream();
    [[nodiscard]] std::optional<Response> outcome();

    Task<> tunnel();
    Task<> tunnel_up();
    Task<> tunnel_down();
    void end_tunnel();

    Relay::State& relay_;
    ServerStream& client_;
    const bool websocket_;  // asked for
    const std::string head_;
    std::optional<ClientStream> upstream_;
    Watchdog sending_;
    Watchdog receiving_;                        // in a tunnel: both ways
    std::optional<ServerStream::Fault> fault_;  // of the client
    std::optional<Failure> failure_;            // of the upstream
    bool body_began_ = false;
    bool sent_ = false;      // the whole request
    bool answered_ = false;  // the answer's head has come
    bool switches_ = false;
    bool again_ = false;
};

}  // namespace rollcall::http
