// What kind of key a Supabase key is: the admin API of Supabase Auth takes a secret key or the JWT
// of the role service_role. Pure; nothing here is checked against a signature.
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <cstdint>
#include <string_view>

namespace rollcall::supabase {

enum class KeyKind : std::uint8_t {
    secret,        // sb_secret_…: for the gateway of a hosted project
    service_role,  // a JWT whose role is service_role or supabase_admin
    publishable,   // sb_publishable_…
    other_role,    // a JWT of another role, anon say
    unknown,
};

[[nodiscard]] KeyKind kind_of_key(std::string_view key);

// Whether users may be administered with it; else says what it is instead, and not the key.
[[nodiscard]] Result<void> check_key(const Secret& key);

}  // namespace rollcall::supabase
