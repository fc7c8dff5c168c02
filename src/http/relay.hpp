// Passes requests on to an upstream and its answers back, piece by piece, over kept connections:
// what a reverse proxy does (RFC 9110, section 7). A request holds some 100 KiB at most, whatever
// its body, and none of a body is held back. WebSockets go through (RFC 6455, section 4); no other
// upgrade does. A client that goes ends the upstream's exchange, and the other way round. One event
// loop.
#pragma once

#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "http/client_address.hpp"
#include "http/message.hpp"
#include "http/server_stream.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace rollcall::http {

struct RelayConfig {
    std::string upstream;   // http://app:3000: no path
    bool pass_host = true;  // the client's Host; else the upstream's
    std::size_t connections_max = 1024;
    std::size_t header_bytes_max = 32 * 1024;          // of an answer
    std::chrono::milliseconds connect_timeout{5'000};  // and to wait for a free connection
    // Of the upstream: to answer a request that it has, between pieces of the answer, and to take
    // a piece of the request.
    std::chrono::milliseconds timeout{60'000};
    std::chrono::milliseconds tunnel_idle_timeout{600'000};  // of a WebSocket, both ways quiet
    std::string ca_file;                                     // empty: the system's store
};

// Made by every Relay; once more, they are the same.
struct RelayMetrics {
    explicit RelayMetrics(MetricsRegistry& registry);

    prometheus::Gauge& tunnels;
    prometheus::Counter& clients_gone;
    prometheus::Family<prometheus::Counter>& failures;
};

// http or https, a host, and neither path nor query.
[[nodiscard]] Result<void> check_relay_upstream(std::string_view url);

class Relay {
public:
    // The upstream must have passed check_relay_upstream().
    Relay(Executor executor, RelayConfig config, MetricsRegistry& registry);
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    // What the upstream gets instead of the client's own.
    struct Order {
        std::string target;  // origin form
        Fields fields;       // of the client, as far as they may go on
        Fields own;          // set by the proxy: no field of the client's can take these away
    };
    // Answers the client. The answer is returned instead where the upstream gave none: 502, or 504
    // when it took too long; or where the request's body was not as it should be.
    Task<std::optional<Response>> forward(ServerStream& client, Order order);

    struct State;

private:
    std::shared_ptr<State> state_;
};

// What the server knows of a request. X-Forwarded-For, -Proto and -Host: for whom it is, over what,
// and which host it asked for, the last two as a trusted proxy has it where it says so in one way;
// X-Request-Id.
[[nodiscard]] Fields forwarding_fields(const Request& request, const TrustedProxies& trusted);

}  // namespace rollcall::http
