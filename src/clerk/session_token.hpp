// Whether a token is a session token of this Clerk instance, now. Pure: keys, rules and time are
// passed in. Everything that is not said to be right is refused, and a refusal is a value with a
// stable name: it costs an attacker's request no exception. The signature is checked before any
// claim is read (RFC 8725 section 3.4). docs/tokens.md has the order and the reasons.
#pragma once

#include "base/clock.hpp"
#include "clerk/session_claims.hpp"
#include "crypto/jwk_set.hpp"

#include <chrono>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::clerk {

struct TokenRules {
    std::vector<std::string> issuers;  // empty: no token is of a known issuer, so none passes
    bool any_issuer = false;           // for a person who looks at a token, never for a service
    std::vector<std::string> authorized_parties;  // empty: azp is not looked at
    std::vector<std::string> audiences;           // empty: aud is not looked at
    std::vector<crypto::Algorithm> algorithms{crypto::Algorithm::rs256};
    std::chrono::seconds skew{5};  // of Clerk's clock and this one
    std::chrono::seconds lifetime_max{3600};
};

using TokenVerdict = std::expected<SessionClaims, TokenRefusal>;

[[nodiscard]] TokenVerdict verify(std::string_view token, const crypto::JwkSet& keys,
                                  const TokenRules& rules, SystemTime now);

// Whether claims that were verified before still hold: time passes, and rules may have changed.
[[nodiscard]] std::expected<void, TokenRefusal> judge(const SessionClaims& claims,
                                                      const TokenRules& rules, SystemTime now);

// Only the signature, of a JWS whose payload may be anything; the payload. A token without `kid` is
// checked by the one key of a set that has no other.
[[nodiscard]] std::expected<std::string, TokenRefusal> verify_signature(
    std::string_view token, const crypto::JwkSet& keys,
    const std::vector<crypto::Algorithm>& algorithms);

}  // namespace rollcall::clerk
