// POST /webhooks/clerk and /api/webhooks/clerk: verifies, classifies, stores, answers. 2xx only
// after the commit that stores the event, or, with a spool, once it is on the disk. Never tells the
// sender why it refuses. docs/webhooks.md has the answers.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "http/address_guard.hpp"
#include "http/router.hpp"
#include "webhooks/config.hpp"
#include "webhooks/delivery_log.hpp"
#include "webhooks/intake.hpp"
#include "webhooks/signature.hpp"
#include "webhooks/spooling.hpp"

#include <memory>

namespace rollcall::webhooks {

class Endpoint {
public:
    struct Neighbours {  // all must outlive the endpoint
        Intake& intake;
        DeliveryLog& deliveries;
        http::AddressGuard& guard;  // asked about what does not verify
        const Clock& clock;
        Random& random;
        MetricsRegistry& metrics;
        Spooling* spooling = nullptr;  // null: what the database does not take is answered 503
    };
    Endpoint(const WebhookConfig& config, SigningSecrets secrets, RoleRules roles,
             Neighbours neighbours);
    ~Endpoint();
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;

    // Both paths. `router` must not outlive the endpoint.
    void add_routes(http::Router& router);

    // Takes the body out of the request.
    Task<http::Response> handle(http::Request& request);

    // In force from the next request on: a rotation, or a reload of the configuration.
    void use(SigningSecrets secrets, RoleRules roles);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace rollcall::webhooks
