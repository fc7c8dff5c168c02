// Session tokens of the simulated Clerk: JWTs with the header and the claims of version 2 or 1
// (clerk.com/docs/guides/sessions/session-tokens), signed with the instance's current key.
#pragma once

#include "sim/clerk_instance.hpp"

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sim {

struct TokenOptions {
    static constexpr std::int64_t lifetime_default = 60;  // seconds

    std::int64_t lifetime = lifetime_default;
    bool version_1 = false;       // organizations as before API version 2025-04-10
    bool of_template = false;     // a JWT template's token: no session in it
    bool expired = false;         // it was over a minute ago
    std::optional<bool> pending;  // else as the session is
    std::optional<ActiveOrganization> organization;  // instead of the session's
    std::optional<std::string> azp;                  // else there is none
    // Over everything else; null takes a member away.
    json::object header;
    json::object claims;
};

struct MintedToken {
    std::string jwt;
    json::object header;
    json::object claims;
};

[[nodiscard]] MintedToken mint(ClerkInstance& clerk, const ClerkSession& session,
                               const TokenOptions& options);

// Whether permissions are "org:feature:permission" and few enough to be packed: what mint() takes.
[[nodiscard]] bool can_pack(const std::vector<std::string>& permissions);

}  // namespace rollcall::sim
