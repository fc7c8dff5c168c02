// The way to one Clerk instance's Backend API, shared by all who ask it: kept connections, Clerk's
// quota of requests, a circuit breaker, repeats with jitter. One for each secret key and process;
// one event loop. Metrics: rollcall_upstream_* and rollcall_circuit_* with upstream="clerk".
#pragma once

#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "base/trace.hpp"
#include "clerk/api_error.hpp"
#include "clerk/retry_decision.hpp"
#include "http/client.hpp"
#include "http/pacer.hpp"
#include "http/upstream.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rollcall::clerk {

inline constexpr std::string_view api_version = "2026-05-12";
// Clerk counts requests of an instance in spans of this length.
inline constexpr std::chrono::seconds quota_window{10};
// A page of 500 users has 1 to 2 MB; with all metadata as full as Clerk allows (8 KB of each of the
// three kinds) and some accounts some 25 MB. A body is kept in memory whole: up to this.
inline constexpr std::size_t answer_bytes_max = 64UL * 1024 * 1024;

struct BackendApiConfig {
    std::string url = "https://api.clerk.com";  // without /v1, as Clerk's own SDK takes it
    Secret secret_key;
    std::chrono::milliseconds timeout{10'000};  // of one request
    // Clerk's quota, in requests per quota_window; 0: what the kind of key has.
    int rate_limit = 0;
    // How much of it rollcall takes, above 0 and at most 1; the rest is the application's own.
    double rate_share = 0.5;
    std::size_t connections_max = 16;  // requests in flight at the same time
    std::string user_agent = "rollcall";
};

// Clerk's quota for the kind of key: 1000 in quota_window for sk_live_…, else 100.
[[nodiscard]] int rate_limit_of(const Secret& secret_key);
// What rollcall keeps to.
[[nodiscard]] http::RateLimit quota_of(const BackendApiConfig& config);

class ApiChannel {
public:
    ApiChannel(Executor executor, BackendApiConfig config, MetricsRegistry& metrics);
    ApiChannel(const ApiChannel&) = delete;
    ApiChannel& operator=(const ApiChannel&) = delete;

    // GET of `target` ("/v1/users?…"): the answer of status 200, or why there is none. `operation`
    // is a label: list_users, count_users, get_user, get_instance. Adds each request that is sent
    // to `requests`, each a span of `trace` if there is one. Throws Unavailable only when it is
    // cancelled.
    Task<ApiResult<http::Response>> get(std::string_view operation, std::string target,
                                        Patience patience, std::int64_t& requests,
                                        TraceContext trace = {});

    [[nodiscard]] http::Breaker::State circuit() const { return upstream_.circuit(); }
    [[nodiscard]] http::Circuit look(SteadyTime now) const { return upstream_.look(now); }

private:
    [[nodiscard]] http::ClientRequest request(const std::string& target,
                                              std::chrono::milliseconds limit,
                                              const TraceContext& trace);

    BackendApiConfig config_;
    http::Client client_;
    http::Upstream upstream_;
    http::Pacer pacer_;
    Random random_;
};

}  // namespace rollcall::clerk
