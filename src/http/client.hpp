// An HTTP/1.1 client with kept connections and TLS (system CAs, host name checked, TLS 1.2 at
// least). Redirects are not followed. A response of any status is a value; no response within the
// limits (resolve, connect, handshake, write, read together) throws Unavailable with the reason:
// dns, connect, tls, timeout, closed, too large or bad response, after the URL's origin.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "http/message.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace rollcall::http {

struct ClientConfig {
    std::size_t connections_per_host_max = 8;
    std::size_t header_bytes_max = 32 * 1024;
    std::size_t body_bytes_max = 16 * 1024 * 1024;
    std::chrono::milliseconds idle_timeout{30'000};
    std::string ca_file;  // empty: the system's store
    std::string user_agent = "rollcall";
};

struct ClientRequest {
    std::string method = "GET";
    std::string url;  // http:// or https://, absolute
    Fields headers;
    std::string body;
    std::chrono::milliseconds timeout{10'000};
};

class ClientPool;

// Holds the event loop while it keeps connections: until they were idle for too long, or it goes.
class Client {
public:
    Client(Executor executor, ClientConfig config = {});
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // A request on a kept connection that the peer closed meanwhile is sent once more on a fresh
    // one, when the method is idempotent or no byte of it was answered or could have been read.
    Task<Response> send(ClientRequest request);

private:
    std::shared_ptr<ClientPool> pool_;
};

// Refuses anything but https, or http to a loopback host. For settings that name an upstream.
[[nodiscard]] Result<void> check_upstream_url(std::string_view url);
// Whether it is an http or https URL of this machine (localhost, 127.0.0.0/8, ::1), read as the
// client reads it.
[[nodiscard]] bool is_loopback_url(std::string_view url);

}  // namespace rollcall::http
