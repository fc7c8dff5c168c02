// What rollcall mirrors of a Clerk user, taken from the User object that both the Backend API and
// the webhooks carry (Clerk OpenAPI, "User"). Field rules: docs/fields.md.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::clerk {

struct User {
    std::string id;                    // user_…
    std::optional<std::string> email;  // the address whose id is primary_email_address_id
    bool email_verified = false;
    std::optional<std::string> phone;  // the number whose id is primary_phone_number_id
    std::optional<std::string> name;   // first and last, trimmed, one space between
    std::optional<std::string> role;   // public_metadata.role if it is a string, unchecked
    std::optional<std::string> external_id;
    bool banned = false;
    bool locked = false;
    std::int64_t created_at_ms = 0;
    std::int64_t updated_at_ms = 0;  // the version; 0 when absent
};

// A User object, as in GET /users/{id}. Unknown members and nulls are accepted, a member of another
// type than the specification's counts as absent; without a non-empty string `id`: invalid_input.
[[nodiscard]] Result<User> parse_user(std::string_view json);

}  // namespace rollcall::clerk
