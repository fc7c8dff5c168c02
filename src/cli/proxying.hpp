// The gate's reverse proxy, where it has a listener: `gate.listen` and `gate.upstream`.
#pragma once

#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "cli/gate_config.hpp"
#include "gate/decider.hpp"
#include "gate/proxy.hpp"
#include "http/relay.hpp"
#include "http/server.hpp"

#include <chrono>

namespace rollcall::cli {

class Proxying {
public:
    struct Neighbours {  // all must outlive it
        gate::Decider& decider;
        Random& random;
        MetricsRegistry& metrics;
    };

    // Its listener has the limits of the public one, but for bodies.
    Proxying(Executor executor, const ProxySettings& settings, http::ServerConfig public_listener,
             bool verbose, Neighbours neighbours);
    Proxying(const Proxying&) = delete;
    Proxying& operator=(const Proxying&) = delete;

    Result<void> start() { return server_.start(); }
    // WebSockets are closed at the limit.
    Task<> drain(std::chrono::milliseconds limit) { return server_.drain(limit); }

private:
    http::Relay relay_;
    http::Router router_;
    http::Server server_;
};

}  // namespace rollcall::cli
