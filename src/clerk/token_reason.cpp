#include "clerk/token_reason.hpp"

#include <array>
#include <cstddef>

namespace rollcall::clerk {
namespace {

struct Names {
    std::string_view ours, clerks;
};

// By TokenReason.
constexpr std::array<Names, token_reasons> names{{
    {"missing_token", ""},
    {"malformed", "token-invalid"},
    {"too_large", ""},
    {"bad_type", "token-invalid"},
    {"alg_not_allowed", "token-invalid-algorithm"},
    {"kid_unknown", "jwk-kid-mismatch"},
    {"bad_signature", "token-invalid-signature"},
    {"bad_subject", "token-verification-failed"},
    {"bad_issuer", "token-invalid-issuer"},
    {"bad_azp", "token-invalid-authorized-parties"},
    {"bad_audience", "token-verification-failed"},
    {"expired", "token-expired"},
    {"not_yet_valid", "token-not-active-yet"},
    {"issued_in_future", "token-iat-in-the-future"},
    {"lifetime_too_long", ""},
    {"session_pending", ""},
    {"jwks_unavailable", "jwk-failed-to-resolve"},
}};

const Names& names_of(TokenReason reason) {
    return names[static_cast<std::size_t>(reason)];
}

}  // namespace

std::string_view to_string(TokenReason reason) {
    return names_of(reason).ours;
}

std::string_view clerk_reason(TokenReason reason) {
    return names_of(reason).clerks;
}

}  // namespace rollcall::clerk
