// Reverse proxy mode: every request of a listener is decided and, where it is allowed, passed on to
// the application, with the fields of gate/identity_headers over whatever the client sent. Refusals
// say more than forward authentication can: 400 for an odd target, 401 with WWW-Authenticate, 403,
// 503 with Retry-After for what cannot be judged now. The application sees the path that was
// judged, in its one spelling, and the query as it came.
#pragma once

#include "base/random.hpp"
#include "gate/decider.hpp"
#include "http/client_address.hpp"
#include "http/relay.hpp"
#include "http/router.hpp"

namespace rollcall::gate {

struct ProxyConfig {
    http::TrustedProxies
        trusted_proxies;  // who may say over what, and for which host, clients come
    bool verbose = true;  // false: reasons only in log and metrics
};

// All must outlive the handler.
void add_proxy(http::Router& router, Decider& decider, http::Relay& relay, Random& random,
               ProxyConfig config);

// Of a refusal.
[[nodiscard]] unsigned proxy_status(const Verdict& verdict);

}  // namespace rollcall::gate
