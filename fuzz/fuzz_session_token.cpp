// The judge of session tokens and what it stands on: no token is believed but one that was signed
// and says all it must; no key set, no JSON and no base64url has two meanings.
//
// The first line of an input says what the rest is: "token" (as it comes), "signed" (a line of
// header and the payload, which are signed here first, so that what comes after the signature is
// searched as well), "keys" (a key set), "json", "text" (base64url) or "pem".
#include "base/result.hpp"
#include "clerk/session_token.hpp"
#include "crypto/encoding.hpp"
#include "crypto/jws.hpp"
#include "crypto/signing_key.hpp"
#include "crypto/strict_json.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <set>
#include <string>
#include <string_view>

namespace {

using namespace rollcall;

// Made for this file, and good for nothing else.
constexpr std::string_view private_key =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgnHUk4o8q7vom25Tm\n"
    "QXHJYgfhSCn0QAK4oeVVs3vbB3WhRANCAASS+AYIa+x6AkdYcpEJsN6Ze1YCMR/n\n"
    "KaEVTMpqoaxyXHroidXNk79wrWYz9RAC0LfexLGqQRlGA/xk7HUcb7wX\n"
    "-----END PRIVATE KEY-----\n";
// The one token whose signature anybody can know: it stands in the corpus.
constexpr std::string_view known_header = R"({"alg":"ES256","kid":"k"})";
constexpr std::string_view known_payload =
    R"({"sub":"user_1","sid":"s","iss":"https://i","iat":1800000000,"exp":1800000060})";
const SystemTime now{std::chrono::seconds(1'800'000'030)};

struct World {
    World() {
        std::string jwk = key.public_jwk();
        jwk.replace(jwk.find(key.kid()), key.kid().size(), "k");
        set.emplace(*crypto::JwkSet::parse(R"({"keys":[)" + jwk + "]}"));
        rules.issuers = {"https://i"};
        rules.algorithms = {crypto::Algorithm::es256};
    }

    crypto::SigningKey key = *crypto::SigningKey::from_pem(Secret(std::string(private_key)));
    std::optional<crypto::JwkSet> set;
    clerk::TokenRules rules;
};

std::string_view next_line(std::string_view& rest) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return line;
}

void check_claims(const clerk::SessionClaims& claims, const clerk::TokenRules& rules) {
    ensure(claims.subject.starts_with("user_") && claims.subject.size() > 5, "a user's id");
    ensure(!claims.session_id.empty(), "a session");
    ensure(claims.issuer == rules.issuers.front(), "the issuer that is expected");
    ensure(now < claims.expires_at + rules.skew, "not expired");
    ensure(claims.issued_at <= now + rules.skew, "not issued in future");
    ensure(claims.expires_at - claims.issued_at <= rules.lifetime_max, "not for long");
    ensure(!claims.status || *claims.status == "active", "an active session");
}

void judge_token(const World& world, std::string_view token) {
    const auto verdict = clerk::verify(token, *world.set, world.rules, now);
    if (!verdict) {
        ensure(!to_string(verdict.error().reason).empty(), "a refusal has a name");
        return;
    }
    check_claims(*verdict, world.rules);
    const auto jws = crypto::read_compact(token);
    ensure(jws.has_value() && jws->payload == known_payload &&
               jws->signed_bytes == crypto::base64url_encode(known_header) + "." +
                                        crypto::base64url_encode(known_payload),
           "nobody signed anything else");
}

void judge_signed(const World& world, std::string_view header, std::string_view payload) {
    std::string token = crypto::base64url_encode(header) + "." + crypto::base64url_encode(payload);
    std::string signature = world.key.sign(token);
    const std::string content = token + ".";
    token = content + crypto::base64url_encode(signature);
    const auto verdict = clerk::verify(token, *world.set, world.rules, now);
    if (!verdict) {
        ensure(verdict.error().reason != clerk::TokenReason::bad_signature, "it was signed");
        return;
    }
    check_claims(*verdict, world.rules);
    boost::system::error_code error;
    ensure(boost::json::parse(payload, error).is_object() && !error, "the payload is an object");
    signature[payload.size() % signature.size()] ^= 1;
    const auto forged =
        clerk::verify(content + crypto::base64url_encode(signature), *world.set, world.rules, now);
    ensure(!forged && forged.error().reason == clerk::TokenReason::bad_signature, "one bit");
    clerk::TokenRules nobody = world.rules;
    nobody.issuers.clear();
    ensure(!clerk::judge(*verdict, nobody, now), "without an issuer nothing is believed");
}

void check_set(std::string_view text) {
    const auto set = crypto::JwkSet::parse(text);
    if (!set) {
        ensure(!to_string(set.error()).empty() && !describe(set.error()).empty(), "a name");
        return;
    }
    ensure(set->size() >= 1 && set->size() <= crypto::JwkSet::keys_max, "as many as may be");
    const auto kids = set->kids();
    ensure(std::set<std::string>(kids.begin(), kids.end()).size() == kids.size(), "one of a name");
    for (const auto& kid : kids) ensure(set->find(kid) != nullptr, "what is named is found");
    ensure(set->find("") == nullptr, "nothing has no name");
}

void check_json(std::string_view text) {
    crypto::StrictJson json;
    if (!json.parse(text)) return;
    boost::system::error_code error;
    (void)boost::json::parse(text, error);
    ensure(!error, "another reader takes it, too");
}

void check_text(std::string_view text) {
    const auto bytes = crypto::base64url_decode(text);
    if (bytes) ensure(crypto::base64url_encode(*bytes) == text, "one text for these bytes");
    ensure(crypto::base64url_decode(crypto::base64url_encode(text)) == text, "there and back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const World world;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const std::string_view kind = next_line(rest);
    if (kind == "token") judge_token(world, rest);
    if (kind == "signed") {
        const std::string_view header = next_line(rest);
        judge_signed(world, header, rest);
    }
    if (kind == "keys") check_set(rest);
    if (kind == "json") check_json(rest);
    if (kind == "text") check_text(rest);
    if (kind == "pem") (void)crypto::VerifyKey::from_pem(rest);
    return 0;
}
