// The control routes of the simulated Supabase Auth, under /sim/auth on the simulated Clerk's
// listener, so that they answer while it is down. docs/simulator.md lists them.
#pragma once

#include "http/message.hpp"
#include "http/router.hpp"
#include "sim/auth_simulator.hpp"

namespace rollcall::sim {

class AuthControl {
public:
    // `supabase` must outlive this and the router it is added to.
    explicit AuthControl(AuthSimulator& supabase) : supabase_(supabase) {}

    void add_to(http::Router& router);

private:
    http::Response status(const http::Request& request);
    http::Response list_requests(const http::Request& request);
    http::Response list_users(const http::Request& request);
    http::Response make_user(const http::Request& request);
    http::Response remove_user(const http::Request& request);

    AuthSimulator& supabase_;
};

}  // namespace rollcall::sim
