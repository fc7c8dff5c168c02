// One neighbour that is asked over HTTP (Clerk, its keys, Supabase Auth): a circuit breaker before
// it and figures about it. An attempt is one request; whoever repeats it decides so. No answer at
// all and statuses from 500 on count as failures of the upstream, anything else as its health.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "http/breaker.hpp"
#include "http/client.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::http {

struct UpstreamConfig {
    std::string name;                     // label of metrics and logs
    std::vector<std::string> operations;  // all there are; labels too
    BreakerConfig breaker;
    // Whether an answer shows an upstream that works; absent: any below 500 does.
    std::function<bool(const Response&)> healthy;
};

// How one attempt ended.
struct Attempt {
    std::optional<Response> response;
    std::string failure;                // without a response: why
    bool sent = true;                   // false: the circuit is open, nothing was sent
    std::chrono::milliseconds wait{0};  // circuit open: how long until it is worth asking again
};

// What is known of an upstream's circuit.
struct Circuit {
    Breaker::State state = Breaker::State::closed;
    std::optional<SystemTime> since;          // nothing: it has been closed from the start
    std::chrono::milliseconds next_probe{0};  // how long until a call would go; 0: now
    std::int64_t failures = 0;                // in a row, up to now
};

// Why an attempt is repeated; a label of rollcall_upstream_retries_total.
enum class RetryReason : std::uint8_t { no_answer, rate_limited, server_error, circuit_open };

class Upstream {
public:
    // `client` must outlive this.
    Upstream(Client& client, UpstreamConfig config, MetricsRegistry& metrics);
    ~Upstream();
    Upstream(const Upstream&) = delete;
    Upstream& operator=(const Upstream&) = delete;

    // `operation` is one of the configured. Does not throw Unavailable but when it is cancelled.
    Task<Attempt> send(std::string_view operation, ClientRequest request);

    void count_retry(RetryReason reason);
    [[nodiscard]] Breaker::State circuit() const;
    [[nodiscard]] Circuit look(SteadyTime now) const;
    // How many of `wanted` calls the circuit would let through now: all, one as the probe, or none.
    [[nodiscard]] int room(int wanted, SteadyTime now) const;

private:
    struct State;
    class Report;
    Client& client_;
    std::shared_ptr<State> state_;
};

}  // namespace rollcall::http
