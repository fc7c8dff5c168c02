#include "clerk/session_token.hpp"

#include "base/failpoint.hpp"
#include "crypto/jws.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace rollcall::clerk {
namespace {

using crypto::Jws;

// The class tag in the header of tokens that Clerk makes from templates and for machines.
constexpr std::array<std::string_view, 2> other_categories{"cl_B7d4PD222AAA", "cl_B7d4PD333AAA"};

std::unexpected<TokenRefusal> refuse(TokenReason reason, std::string_view detail) {
    return std::unexpected(TokenRefusal{reason, detail});
}

bool holds(const std::vector<std::string>& list, std::string_view value) {
    return std::ranges::find(list, value) != list.end();
}

std::expected<Jws, TokenRefusal> read(std::string_view token) {
    if (token.empty()) return refuse(TokenReason::missing_token, "there is no token");
    auto jws = crypto::read_compact(token);
    if (jws) return *std::move(jws);
    const auto reason = jws.error().fault == crypto::JwsFault::too_large ? TokenReason::too_large
                                                                         : TokenReason::malformed;
    return refuse(reason, jws.error().detail);
}

std::expected<void, TokenRefusal> check_kind(const Jws& jws) {
    if (jws.header->typ && *jws.header->typ != "JWT") {
        return refuse(TokenReason::bad_type, "typ is not JWT: an OAuth access token, say");
    }
    if (jws.header->cat &&
        std::ranges::find(other_categories, *jws.header->cat) != other_categories.end()) {
        return refuse(TokenReason::bad_type, "cat is that of a JWT template or a machine");
    }
    return {};
}

std::expected<void, TokenRefusal> check_signature(const Jws& jws, const crypto::VerifyKey* key,
                                                  crypto::Algorithm algorithm) {
    if (key == nullptr) {
        return std::unexpected(TokenRefusal{TokenReason::kid_unknown,
                                            "no key of the set has this kid",
                                            jws.header->kid.value_or("")});
    }
    failpoint("token.before_signature");
    if (!key->serves(algorithm)) {
        return refuse(TokenReason::alg_not_allowed, "alg is not one that its key serves");
    }
    if (!key->verify(algorithm, jws.signed_bytes, jws.signature)) {
        return refuse(TokenReason::bad_signature, "the signature is not by the key that kid names");
    }
    return {};
}

std::expected<crypto::Algorithm, TokenRefusal> algorithm_of(
    const Jws& jws, const std::vector<crypto::Algorithm>& allowed) {
    const auto algorithm = crypto::parse_algorithm(jws.header->alg);
    if (!algorithm || std::ranges::find(allowed, *algorithm) == allowed.end()) {
        return refuse(TokenReason::alg_not_allowed, "alg is not one that is allowed here");
    }
    return *algorithm;
}

std::expected<void, TokenRefusal> check_parties(const SessionClaims& claims,
                                                const TokenRules& rules) {
    const bool issued_here = !claims.issuer.empty() && holds(rules.issuers, claims.issuer);
    if (!rules.any_issuer && !issued_here) {
        return refuse(TokenReason::bad_issuer,
                      rules.issuers.empty() ? "no issuer is known to compare iss with"
                                            : "iss is not the Clerk instance that is expected");
    }
    if (!rules.authorized_parties.empty() &&
        !(claims.authorized_party && holds(rules.authorized_parties, *claims.authorized_party))) {
        return refuse(TokenReason::bad_azp, "azp is absent or not an authorized party");
    }
    const bool meant = std::ranges::any_of(
        claims.audience, [&](const std::string& one) { return holds(rules.audiences, one); });
    if (!rules.audiences.empty() && !meant) {
        return refuse(TokenReason::bad_audience, "aud is absent or names nobody here");
    }
    return {};
}

std::expected<void, TokenRefusal> check_times(const SessionClaims& claims, const TokenRules& rules,
                                              SystemTime now) {
    // RFC 7519 section 4.1.4: on or after exp is too late.
    if (now >= claims.expires_at + rules.skew) {
        return refuse(TokenReason::expired, "exp is past");
    }
    if (claims.not_before && *claims.not_before > now + rules.skew) {
        return refuse(TokenReason::not_yet_valid, "nbf is ahead; compare the clocks");
    }
    if (claims.issued_at > now + rules.skew) {
        return refuse(TokenReason::issued_in_future, "iat is ahead; compare the clocks");
    }
    if (claims.expires_at - claims.issued_at > rules.lifetime_max) {
        return refuse(TokenReason::lifetime_too_long, "exp is further from iat than is allowed");
    }
    return {};
}

}  // namespace

TokenVerdict verify(std::string_view token, const crypto::JwkSet& keys, const TokenRules& rules,
                    SystemTime now) {
    const auto jws = read(token);
    if (!jws) return std::unexpected(jws.error());
    if (auto kind = check_kind(*jws); !kind) return std::unexpected(kind.error());
    const auto algorithm = algorithm_of(*jws, rules.algorithms);
    if (!algorithm) return std::unexpected(algorithm.error());
    if (!jws->header->kid || jws->header->kid->empty()) {
        return refuse(TokenReason::kid_unknown, "the header has no kid");
    }
    if (auto good = check_signature(*jws, keys.find(*jws->header->kid), *algorithm); !good) {
        return std::unexpected(good.error());
    }
    failpoint("token.before_claims");
    auto claims = read_session_claims(jws->payload);
    if (!claims) return claims;
    if (auto fit = judge(*claims, rules, now); !fit) return std::unexpected(fit.error());
    return claims;
}

std::expected<void, TokenRefusal> judge(const SessionClaims& claims, const TokenRules& rules,
                                        SystemTime now) {
    failpoint("token.before_rules");
    if (auto fit = check_parties(claims, rules); !fit) return fit;
    if (auto fit = check_times(claims, rules, now); !fit) return fit;
    // Last, so that it says: good but for this.
    if (claims.status && *claims.status != "active") {
        return refuse(TokenReason::session_pending, "the session is not active (sts)");
    }
    return {};
}

std::expected<std::string, TokenRefusal> verify_signature(
    std::string_view token, const crypto::JwkSet& keys,
    const std::vector<crypto::Algorithm>& algorithms) {
    auto jws = read(token);
    if (!jws) return std::unexpected(jws.error());
    const auto algorithm = algorithm_of(*jws, algorithms);
    if (!algorithm) return std::unexpected(algorithm.error());
    const auto* const key = jws->header->kid ? keys.find(*jws->header->kid) : keys.sole();
    if (auto good = check_signature(*jws, key, *algorithm); !good) {
        return std::unexpected(good.error());
    }
    return std::move(jws->payload);
}

}  // namespace rollcall::clerk
