// What a Clerk session token says, read from the payload of one whose signature is good
// (clerk.com/docs/guides/sessions/session-tokens). Unknown claims are left alone; one that is known
// and has not the form it should have refuses the token. Whether its time, issuer and the rest suit
// is session_token's to judge.
#pragma once

#include "base/clock.hpp"
#include "clerk/organization_claims.hpp"
#include "clerk/token_reason.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::clerk {

// Somebody of the application's staff who acts as the user (impersonation).
struct Actor {
    std::string subject;  // required
    std::string issuer;   // "" when absent, as is the session
    std::string session;
};

// Minutes since the first and the second factor were shown; -1: never.
struct FactorAges {
    std::int64_t first = -1;
    std::int64_t second = -1;
};

struct SessionClaims {
    std::string subject;     // user_…
    std::string session_id;  // sess_…
    std::string issuer;      // "" when absent
    std::optional<std::string> authorized_party;
    std::vector<std::string> audience;
    SystemTime issued_at;
    SystemTime expires_at;
    std::optional<SystemTime> not_before;
    std::string token_id;  // jti, "" when absent
    std::int64_t version = 1;
    std::optional<std::string> status;  // of the session: active, pending
    std::optional<FactorAges> factor_ages;
    std::optional<Organization> organization;
    std::optional<Actor> actor;
};

// `payload` is strict JSON (crypto/strict_json), an object; the subject is a user's id and there is
// a session, else it is a token of another kind.
[[nodiscard]] std::expected<SessionClaims, TokenRefusal> read_session_claims(
    std::string_view payload);

}  // namespace rollcall::clerk
