// The routes of the simulated Backend API about users, e-mail addresses and sessions: a call in,
// the store changed, a body or an error out. Authentication, versions and faults are ClerkApi's.
// Pure but for the instance that they change.
#pragma once

#include "sim/clerk_error.hpp"
#include "sim/clerk_instance.hpp"
#include "sim/clerk_query.hpp"

#include <boost/json/object.hpp>
#include <string>

namespace rollcall::sim {

struct ApiCall {
    std::string id;  // of the object in the path, where there is one
    QueryPairs query{""};
    json::object body;               // empty when the request had none
    bool metadata_in_patch = false;  // before 2026-05-12 PATCH /users/{id} took metadata
    Origin origin;
};

[[nodiscard]] ClerkReply list_users(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply count_users(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply get_user(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply create_user(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply update_user(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply delete_user(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply merge_metadata(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply replace_metadata(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply ban_user(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply unban_user(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply lock_user(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply unlock_user(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply ban_users(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply unban_users(ClerkInstance& clerk, const ApiCall& call);

[[nodiscard]] ClerkReply replace_user_email(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply create_email(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply get_email(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply update_email(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply delete_email(ClerkInstance& clerk, const ApiCall& call);

[[nodiscard]] ClerkReply list_sessions(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply create_session(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply get_session(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply revoke_session(ClerkInstance& clerk, const ApiCall& call);
[[nodiscard]] ClerkReply create_token(ClerkInstance& clerk, const ApiCall& call);
// Every template has the same claims: there are none to be set up.
[[nodiscard]] ClerkReply create_template_token(ClerkInstance& clerk, const ApiCall& call);

// An address that Clerk would take: one @ with something on both sides, no space or control.
[[nodiscard]] bool plausible_email(std::string_view address);

}  // namespace rollcall::sim
