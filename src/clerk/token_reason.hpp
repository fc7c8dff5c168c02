// Why a token is not believed: the names are stable, as a metric's label, in logs and answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rollcall::clerk {

enum class TokenReason : std::uint8_t {
    missing_token,
    malformed,
    too_large,
    bad_type,  // a token of another kind: of a template, a machine or an OAuth client
    alg_not_allowed,
    kid_unknown,
    bad_signature,
    bad_subject,
    bad_issuer,
    bad_azp,
    bad_audience,
    expired,
    not_yet_valid,
    issued_in_future,
    lifetime_too_long,
    session_pending,
    jwks_unavailable,
};
inline constexpr std::size_t token_reasons = 17;

struct TokenRefusal {
    TokenReason reason = TokenReason::malformed;
    std::string_view detail{};  // static text for a person; nothing of the token
    std::string kid{};          // of kid_unknown: which one, where the token names one
};

[[nodiscard]] std::string_view to_string(TokenReason reason);
// What Clerk's own SDK (@clerk/backend 3.25.0, TokenVerificationErrorReason) calls the same; "" for
// what it does not refuse.
[[nodiscard]] std::string_view clerk_reason(TokenReason reason);

}  // namespace rollcall::clerk
