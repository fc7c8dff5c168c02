// A user of Supabase Auth (GoTrue) as its admin API has it, and what rollcall writes there. Only
// `app_metadata` can be trusted: users edit their own `user_metadata`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::supabase {

struct AuthUser {
    std::string id;         // a UUID
    std::string email;      // as Auth keeps it, in lower case; "" when none
    std::string phone;      // without the plus sign; "" when none
    std::string clerk_id;   // app_metadata.clerk_id
    std::string role;       // app_metadata.role, not Auth's own
    std::string full_name;  // user_metadata.full_name
    bool email_confirmed = false;
    // A sign-in of theirs that is not the address's own, as "github"; "" for none. Lists do not
    // have all of them.
    std::string other_sign_in;
    bool banned = false;        // has a banned_until
    std::string banned_until;   // as Auth writes it, in UTC; "" when none
    bool sso = false;           // of a company's sign-in: may share an address with another user
    bool soft_deleted = false;  // the row is kept, and the id with it
};

// What a user is to look like. An absent address or number stays as it is.
struct AuthChange {
    std::string clerk_id;
    std::optional<std::string> email;
    std::optional<std::string> phone;
    std::optional<std::string> name;
    std::string role;
    bool banned = false;
};

// One page of the list of users.
struct AuthPage {
    std::vector<AuthUser> users;
    std::optional<std::int64_t> total;  // X-Total-Count
    bool last = false;                  // shorter than was asked for
};

// The body of POST /admin/users (with `id`) and of PUT /admin/users/{id} (without). Both metadata
// objects merge there key by key: what others have written stays, null takes away.
[[nodiscard]] std::string body_of(const AuthChange& change, std::string_view id = {});
// The bodies that change the address alone, and the password alone.
[[nodiscard]] std::string body_of_email(std::string_view email);
[[nodiscard]] std::string body_of_password(std::string_view password);

// Nothing when it is not a user's object, with a UUID. Unknown members are accepted, one of another
// type than Auth's counts as absent.
[[nodiscard]] std::optional<AuthUser> parse_auth_user(std::string_view json);
// Whole or not at all.
[[nodiscard]] std::optional<std::vector<AuthUser>> parse_auth_users(std::string_view json);
// Whether that is what Auth says when a user is removed: an object, empty by now.
[[nodiscard]] bool is_removal(std::string_view json);

}  // namespace rollcall::supabase
