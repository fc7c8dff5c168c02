// What a token of rollcall's own says: the user's internal id as its subject, so that policies on
// auth.uid() hold, the Postgres role, and of Clerk's token who, in which session, for which
// organization, on whose behalf. Never e-mail or name; never longer alive than the token it was
// made of. Pure. docs/token-exchange.md lists the claims.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "clerk/session_claims.hpp"
#include "directory/standings.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace rollcall::gate {

struct IssueRules {
    std::string issuer = "rollcall";
    std::chrono::seconds lifetime_max{300};
};

struct IssuedClaims {
    std::string payload;              // JSON
    std::chrono::seconds expires_in;  // at least one
};

// Of a user who has a row. Nothing when the token of Clerk's is over within a second.
[[nodiscard]] std::optional<IssuedClaims> issued_claims(const clerk::SessionClaims& subject,
                                                        const directory::Standing& standing,
                                                        const std::string& audience,
                                                        const IssueRules& rules, SystemTime now,
                                                        const Uuid& token_id);

}  // namespace rollcall::gate
