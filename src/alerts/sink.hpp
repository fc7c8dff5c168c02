// Where messages go: a POST of JSON to one URL, within a time limit, behind a circuit breaker. The
// URL is a secret (Slack's contains the token): nothing that is logged or thrown has more of it
// than scheme and host. Metrics: rollcall_upstream_* and rollcall_circuit_* with upstream="alerts".
#pragma once

#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "http/client.hpp"
#include "http/upstream.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace rollcall::alerts {

struct SinkConfig {
    Secret url;  // empty: nobody is told
    std::chrono::milliseconds timeout{10'000};
    std::string user_agent = "rollcall";
};

struct Delivery {
    enum class Result : std::uint8_t {
        delivered,  // 2xx
        failed,     // no answer, 408, 429, 5xx: worth another try
        refused,    // any other answer: the URL or the message is wrong
    };
    Result result = Result::failed;
    std::string reason;                 // unless delivered
    std::chrono::milliseconds wait{0};  // at least, before the next try
    std::string trace_id;               // of the request
};

class Sink {
public:
    Sink(Executor executor, SinkConfig config, MetricsRegistry& metrics);
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;

    [[nodiscard]] bool configured() const { return !config_.url.empty(); }
    [[nodiscard]] std::chrono::milliseconds timeout() const { return config_.timeout; }

    // Only when configured. Each post begins a trace, which a receiver may go on with. Throws
    // Unavailable only when it is cancelled.
    Task<Delivery> post(std::string body);

private:
    SinkConfig config_;
    http::Client client_;
    http::Upstream upstream_;
    Random random_;
};

}  // namespace rollcall::alerts
