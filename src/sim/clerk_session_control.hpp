// The control routes about who is signed in: sessions that begin and end as in a browser, tokens of
// every kind, and the keys that sign them. docs/simulator.md lists them.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"
#include "http/router.hpp"
#include "sim/clerk_instance.hpp"
#include "sim/clerk_token.hpp"

#include <boost/json/object.hpp>
#include <memory>
#include <string>

namespace rollcall::sim {

class ClerkSessionControl {
public:
    explicit ClerkSessionControl(std::shared_ptr<ClerkInstance> clerk) : clerk_(std::move(clerk)) {}

    void add_to(http::Router& router);

private:
    http::Response list_sessions(const http::Request& request);
    http::Response start_session(const http::Request& request);
    http::Response finish_session(const http::Request& request, SessionStatus how);
    http::Response make_token(const http::Request& request);
    http::Response list_keys(const http::Request& request);
    http::Response rotate_keys(const http::Request& request);
    http::Response withdraw_key(const http::Request& request);

    // The user that is named, else the first one.
    [[nodiscard]] Result<std::string> user_of(const json::object& body) const;
    // The session that is named; else the user's newest; else a new one.
    [[nodiscard]] Result<ClerkSession> session_of(const json::object& body);
    [[nodiscard]] Result<std::optional<ActiveOrganization>> organization_of(
        const json::object& body);
    [[nodiscard]] Result<TokenOptions> options_of(const json::object& body);

    std::shared_ptr<ClerkInstance> clerk_;
};

}  // namespace rollcall::sim
