// Made-up users that look real, in the shapes that break handlers written for the usual one. Pure:
// names come from how many were made, ids from the maker.
#pragma once

#include "base/result.hpp"
#include "sim/clerk_ids.hpp"
#include "sim/clerk_user.hpp"

#include <cstdint>
#include <string_view>

namespace rollcall::sim {

enum class Shape : std::uint8_t {
    typical,           // name, one verified e-mail address, a password
    oauth,             // verified by Google, with the external account
    second_primary,    // two addresses, the primary one is not the first
    unverified_email,  // an address that is not verified, and no primary
    primary_gone,      // primary_email_address_id names an address that is not in the list
    mixed_case_email,  // First.Last@Example.COM
    phone_only,        // no e-mail address, no name
    username_only,     // username and password, nothing else
    unicode_name,      // a name outside ASCII, and metadata
    count,
};

// By the names above. invalid_input lists them when `name` is none.
[[nodiscard]] Result<Shape> parse_shape(std::string_view name);

// `number` makes name and addresses unique: two users of one number collide.
[[nodiscard]] ClerkUser make_person(Shape shape, std::uint64_t number, std::int64_t created_at,
                                    IdMaker& ids);

}  // namespace rollcall::sim
