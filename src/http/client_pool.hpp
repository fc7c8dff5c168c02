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
    class Permit;

    Task<Response> exchange(WireRequest& request, const UpstreamUrl& url, std::string_view& phase);
    Task<> acquire(Origin& origin);
    void release(Origin& origin);
    [[nodiscard]] std::unique_ptr<ClientConnection> take_idle(Origin& origin) const;
    void keep(Origin& origin, std::unique_ptr<ClientConnection> connection);
    TlsContext* tls_for(const UpstreamUrl& url);
    void reap();
    void schedule_reap();

    Executor executor_;
    ClientConfig config_;
    std::optional<TlsContext> tls_;
    std::unordered_map<std::string, Origin> origins_;
    SteadyTimer reaper_;
    bool reaping_ = false;
    bool stopped_ = false;
};

}  // namespace rollcall::http
