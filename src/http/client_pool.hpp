// The connections of a client: how many run at once to an origin, and which wait to be used again.
// Inside http/ only.
#pragma once

#include "base/clock.hpp"
#include "http/client_connection.hpp"

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace rollcall::http {

class ClientPool : public std::enable_shared_from_this<ClientPool> {
public:
    ClientPool(Executor executor, ClientConfig config);

    Task<Response> send(ClientRequest request);
    void stop();

    // A connection for one exchange, and its place among those of the origin; the place is given
    // back with it, the connection closed unless kept.
    class Lease;
    // `url` and `phase` must outlive the task; `phase` says what is waited for. Throws Unavailable.
    Task<std::unique_ptr<Lease>> lease(const UpstreamUrl& url, std::string_view& phase,
                                       bool fresh = false);

private:
    struct Idle {
        std::unique_ptr<ClientConnection> connection;
        SteadyTime since;
    };
    struct Waiter {
        SteadyTimer granted_signal;
        bool granted = false;
    };
    struct Origin {
        std::size_t in_use = 0;
        std::vector<Idle> idle;      // most recently used last
        std::list<Waiter*> waiting;  // first come, first served
    };

    Task<Response> exchange(WireRequest& request, const UpstreamUrl& url, std::string_view& phase);
    Task<> acquire(Origin& origin);
    void release(Origin& origin);
    [[nodiscard]] std::unique_ptr<ClientConnection> take_idle(Origin& origin) const;
    void keep(Origin& origin, std::unique_ptr<ClientConnection> connection);
    TlsContext* tls_for(const UpstreamUrl& url);
    void reap();
    void schedule_reap();
    Task<std::unique_ptr<ClientConnection>> open(const UpstreamUrl& url, std::string_view& phase);

    Executor executor_;
    ClientConfig config_;
    std::optional<TlsContext> tls_;
    std::unordered_map<std::string, Origin> origins_;
    SteadyTimer reaper_;
    bool reaping_ = false;
    bool stopped_ = false;
};

class ClientPool::Lease {
public:
    Lease(std::shared_ptr<ClientPool> pool, Origin& origin);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    [[nodiscard]] ClientConnection& connection() { return *connection_; }
    // Whether it has carried an exchange before: its peer may have closed it meanwhile.
    [[nodiscard]] bool kept() const { return kept_; }
    // A fresh one in its place. Throws Unavailable.
    Task<> renew(const UpstreamUrl& url, std::string_view& phase);
    // It can carry another exchange.
    void keep();

private:
    friend class ClientPool;
    std::shared_ptr<ClientPool> pool_;
    Origin& origin_;
    std::unique_ptr<ClientConnection> connection_;
    bool kept_ = false;
};

}  // namespace rollcall::http
