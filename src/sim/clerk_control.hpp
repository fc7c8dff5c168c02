// The control routes under /sim, for tests and for the person at the terminal: faults, messages,
// people, the endpoint, received alerts. docs/simulator.md lists them.
#pragma once

#include "http/message.hpp"
#include "http/router.hpp"
#include "sim/clerk_instance.hpp"

#include <cstddef>
#include <memory>

namespace rollcall::sim {

class ClerkControl {
public:
    // `users` is how many a reset begins with, `with_events` whether they are announced.
    ClerkControl(std::shared_ptr<ClerkInstance> clerk, std::size_t users, bool with_events);

    void add_to(http::Router& router);

private:
    http::Response status(const http::Request& request);
    http::Response reset(const http::Request& request);
    http::Response get_faults(const http::Request& request);
    http::Response put_faults(const http::Request& request);
    http::Response patch_faults(const http::Request& request);
    http::Response list_messages(const http::Request& request);
    http::Response get_message(const http::Request& request);
    http::Response resend(const http::Request& request);
    http::Response replay(const http::Request& request);
    http::Response send_event(const http::Request& request);
    http::Response get_endpoint(const http::Request& request);
    http::Response patch_endpoint(const http::Request& request);
    http::Response rotate(const http::Request& request);
    http::Response list_people(const http::Request& request);
    http::Response make_people(const http::Request& request);
    http::Response list_requests(const http::Request& request);
    http::Response list_alerts(const http::Request& request);
    http::Response receive_alert(const http::Request& request);
    http::Response clear_alerts(const http::Request& request);

    std::shared_ptr<ClerkInstance> clerk_;
    std::size_t users_;
    bool with_events_;
};

}  // namespace rollcall::sim
