// The organization that a session token speaks for: version 2 of Clerk's session token has it in
// `o` and packs permissions as bits (clerk.com/docs/guides/sessions/session-tokens), version 1
// (deprecated 14 April 2025) in `org_…`. Both read the same here, and as Clerk's own SDK has it.
#pragma once

#include "clerk/token_reason.hpp"

#include <simdjson.h>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::clerk {

struct Organization {
    std::string id;
    std::string slug;                      // "" when there is none
    std::string role;                      // "org:admin"
    std::vector<std::string> permissions;  // "org:invoices:read"
};

// Of the claims of a token of `version`; nothing when no organization is active. malformed when it
// is there and not in form.
[[nodiscard]] std::expected<std::optional<Organization>, TokenRefusal> read_organization(
    const simdjson::dom::object& claims, std::int64_t version);

// The i-th number of `fpm` belongs to the i-th organization's feature of `fea`, its k-th bit from
// the right to the k-th entry of `per`. Numbers may be longer than 64 bits. What is no number, or
// longer than 128 digits, permits nothing.
[[nodiscard]] std::vector<std::string> unpack_permissions(std::string_view fea,
                                                          std::string_view per,
                                                          std::string_view fpm);

}  // namespace rollcall::clerk
