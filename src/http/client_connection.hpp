// One connection of the client, plain or TLS, and one exchange on it. Inside http/ only.
#pragma once

#include "base/clock.hpp"
#include "http/client.hpp"
#include "http/upstream_url.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::http {

// How one exchange ended: with a response, or with the reason for none.
struct Exchange {
    std::optional<Response> response;
    std::string failure;
    bool sent = false;      // a byte of the request may have reached the peer
    bool answered = false;  // a byte of an answer came
    bool keep = false;      // the connection can carry another
};

// The client's TLS settings, read once.
class TlsContext {
public:
    // Throws Unavailable when `ca_file` cannot be read.
    explicit TlsContext(const std::string& ca_file);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    struct Native;
    [[nodiscard]] Native& native() { return *native_; }

private:
    std::unique_ptr<Native> native_;
};

// A request as it goes over the wire; made once, sent on one connection or two.
class WireRequest {
public:
    // Throws Unavailable when a field cannot be written.
    WireRequest(ClientRequest request, const UpstreamUrl& url, const ClientConfig& config);
    ~WireRequest();
    WireRequest(const WireRequest&) = delete;
    WireRequest& operator=(const WireRequest&) = delete;

    struct Native;
    [[nodiscard]] Native& native() { return *native_; }
    [[nodiscard]] bool idempotent() const;

private:
    std::unique_ptr<Native> native_;
};

class ClientConnection {
public:
    // Resolves, connects and shakes hands; `tls` is null for http. `phase` says what is being
    // waited for, for the message about a timeout. Throws Unavailable.
    static Task<std::unique_ptr<ClientConnection>> open(const UpstreamUrl& url, TlsContext* tls,
                                                        std::string_view& phase);
    ~ClientConnection();
    ClientConnection(const ClientConnection&) = delete;
    ClientConnection& operator=(const ClientConnection&) = delete;

    // When the certificate of the peer ends; nothing without TLS.
    [[nodiscard]] std::optional<SystemTime> certificate_end() const;

    // False when the peer closed it or said something unasked.
    [[nodiscard]] bool usable();

    Task<Exchange> exchange(WireRequest& request, const ClientConfig& config);

    // For who reads answers piece by piece: what came and was not taken yet. What is taken stays
    // where it is until the next fill(), which waits for more: how much came, 0 at the end; nothing
    // when the connection broke or there is no room.
    [[nodiscard]] std::string_view unread() const;
    void take(std::size_t count);
    Task<std::optional<std::size_t>> fill();
    // All of it; false when the connection broke.
    Task<bool> write(std::string_view head, std::string_view piece, std::string_view tail);
    // No more will be written. TLS has no half of a connection: that one is closed.
    void end_sending();
    // Fails what waits.
    void close();

private:
    struct Native;
    explicit ClientConnection(std::unique_ptr<Native> native);
    std::unique_ptr<Native> native_;
};

}  // namespace rollcall::http
