// An HTTP/1.1 listener with keep-alive. Every buffer and wait is bounded: what exceeds a limit is
// answered 400, 408, 413, 431 or 503 and the connection closed. Smuggling forms (two lengths,
// length with chunked, obs-fold, bare CR or LF) are refused. One event loop; handlers run on it.
// When all connections are taken, the one that was silent longest since it came makes room, else
// the one that was idle longest since its last answer; when the former were so for less than a
// second and the latter for less than five, the new one gets 503.
#pragma once

#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "http/address_guard.hpp"
#include "http/client_address.hpp"
#include "http/router.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace rollcall::http {

struct ServerConfig {
    std::string listen = "127.0.0.1:8080";  // or [::1]:port, localhost:port; port 0: any
    std::string name = "public";            // label of metrics and logs
    // What nginx takes by default (8 KiB, and four times 8 KiB), and what it adds of its own.
    std::size_t header_bytes_max = 44 * 1024;
    std::size_t body_bytes_max = 1024 * 1024;
    std::size_t connections_max = 4096;
    // Of one address (IPv6: one /64), trusted proxies aside; one more is answered 503. 0: no limit.
    std::size_t connections_per_address_max = 0;
    TrustedProxies trusted_proxies;  // whose X-Forwarded-For says who the client is
    AddressGuard* guard = nullptr;   // must outlive the server; null: nothing is limited
    std::chrono::milliseconds header_timeout{10'000};  // first byte to end of header; a new
                                                       // connection also has to send one by then
    std::chrono::milliseconds body_timeout{15'000};
    std::chrono::milliseconds write_timeout{15'000};
    std::chrono::milliseconds idle_timeout{75'000};  // between requests; longer than proxies keep
};

// http_requests_total, http_request_duration_seconds, …; shared by all servers of a process.
struct ServerMetrics;
std::shared_ptr<ServerMetrics> make_server_metrics(MetricsRegistry& registry);

class Listener;

class Server {
public:
    // `router` must outlive the server and every handler that still runs, and not change while
    // the server does.
    Server(Executor executor, ServerConfig config, const Router& router,
           std::shared_ptr<ServerMetrics> metrics);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Binds and starts to accept. An address in use or a bad one is bad_configuration.
    Result<void> start();
    // The bound port, for `listen` with port 0.
    [[nodiscard]] unsigned short port() const;

    // Stops accepting, closes idle connections, lets requests in flight finish with
    // `Connection: close`, at most `limit`; then closes the rest. Calling it twice does no harm.
    Task<> drain(std::chrono::milliseconds limit);

private:
    std::shared_ptr<Listener> listener_;
};

}  // namespace rollcall::http
