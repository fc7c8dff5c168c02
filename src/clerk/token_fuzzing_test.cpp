// What jwt_tool calls error fuzzing: null, true, false, a string and 0 in place of each member of
// the header and each claim, those that are read here and those that others read. Whoever signs
// such a token has the key; that it is refused or changes nothing is so that no misreading of a
// value makes somebody of nobody.
#include "clerk/session_token.hpp"
#include "crypto/encoding.hpp"
#include "crypto/signing_key.hpp"

#include <gtest/gtest.h>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <string_view>

namespace rollcall::clerk {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 5> values{"null", "true", "false", R"("string")", "0"};

// What becomes of the token by each of the values, in their order.
struct Expected {
    std::string_view name;
    std::array<std::string_view, 5> outcomes;
};

// The reason, or "same" and "other" for a token that is taken and says the same, or not.
constexpr std::array<Expected, 4> header_members{{
    {"alg", {"malformed", "malformed", "malformed", "alg_not_allowed", "malformed"}},
    {"kid", {"malformed", "malformed", "malformed", "kid_unknown", "malformed"}},
    {"typ", {"malformed", "malformed", "malformed", "bad_type", "malformed"}},
    {"cat", {"malformed", "malformed", "malformed", "same", "malformed"}},
}};
constexpr std::array<std::string_view, 5> refused_members{"crit", "zip", "cty", "b64", "enc"};

// IANA's registry of JOSE header parameters, and two that some verifiers take for keys.
constexpr std::array<std::string_view, 26> unread_members{
    "jku", "jwk", "x5u", "x5c",  "x5t", "x5t#S256", "epk", "apu",   "apv",
    "iv",  "tag", "p2s", "p2c",  "iss", "sub",      "aud", "nonce", "url",
    "ppt", "svt", "exp", "jwks", "key", "oiat",     "ver", "x"};

constexpr std::array<Expected, 15> claims_of_version_2{{
    {"exp", {"malformed", "malformed", "malformed", "malformed", "expired"}},
    {"iat", {"malformed", "malformed", "malformed", "malformed", "lifetime_too_long"}},
    {"nbf", {"malformed", "malformed", "malformed", "malformed", "other"}},
    {"sub", {"bad_subject", "bad_subject", "bad_subject", "bad_subject", "bad_subject"}},
    {"sid", {"malformed", "malformed", "malformed", "other", "malformed"}},
    {"iss", {"bad_issuer", "bad_issuer", "bad_issuer", "bad_issuer", "bad_issuer"}},
    {"azp", {"bad_azp", "bad_azp", "bad_azp", "bad_azp", "bad_azp"}},
    {"aud", {"bad_audience", "bad_audience", "bad_audience", "bad_audience", "bad_audience"}},
    {"jti", {"malformed", "malformed", "malformed", "other", "malformed"}},
    {"sts", {"malformed", "malformed", "malformed", "session_pending", "malformed"}},
    {"v", {"malformed", "malformed", "malformed", "malformed", "other"}},
    {"fva", {"other", "malformed", "malformed", "malformed", "malformed"}},
    {"act", {"other", "malformed", "malformed", "malformed", "malformed"}},
    {"o", {"other", "malformed", "malformed", "malformed", "malformed"}},
    {"fea", {"malformed", "malformed", "malformed", "other", "malformed"}},
}};
constexpr std::array<Expected, 4> claims_of_version_1{{
    {"org_id", {"other", "malformed", "malformed", "other", "malformed"}},
    {"org_slug", {"malformed", "malformed", "malformed", "other", "malformed"}},
    {"org_role", {"malformed", "malformed", "malformed", "other", "malformed"}},
    {"org_permissions", {"other", "malformed", "malformed", "malformed", "malformed"}},
}};

// IANA's registry of JWT claims without those above, then what applications and Clerk's templates
// add: no name among them says who somebody is, or what they may.
constexpr std::array<std::string_view, 80> unread_claims{"name",
                                                         "given_name",
                                                         "family_name",
                                                         "middle_name",
                                                         "nickname",
                                                         "preferred_username",
                                                         "profile",
                                                         "picture",
                                                         "website",
                                                         "email",
                                                         "email_verified",
                                                         "gender",
                                                         "birthdate",
                                                         "zoneinfo",
                                                         "locale",
                                                         "phone_number",
                                                         "phone_number_verified",
                                                         "address",
                                                         "updated_at",
                                                         "nonce",
                                                         "auth_time",
                                                         "at_hash",
                                                         "c_hash",
                                                         "acr",
                                                         "amr",
                                                         "sub_jwk",
                                                         "cnf",
                                                         "sip_from_tag",
                                                         "sip_date",
                                                         "sip_callid",
                                                         "sip_cseq_num",
                                                         "sip_via_branch",
                                                         "orig",
                                                         "dest",
                                                         "mky",
                                                         "events",
                                                         "toe",
                                                         "txn",
                                                         "rph",
                                                         "vot",
                                                         "vtm",
                                                         "attest",
                                                         "origid",
                                                         "scope",
                                                         "client_id",
                                                         "may_act",
                                                         "jcard",
                                                         "at_use_nbr",
                                                         "div",
                                                         "opt",
                                                         "roles",
                                                         "groups",
                                                         "entitlements",
                                                         "token_introspection",
                                                         "vp",
                                                         "sph",
                                                         "nationalities",
                                                         "uuid",
                                                         "role",
                                                         "admin",
                                                         "is_admin",
                                                         "permissions",
                                                         "scp",
                                                         "tid",
                                                         "uid",
                                                         "user_id",
                                                         "username",
                                                         "user",
                                                         "metadata",
                                                         "public_metadata",
                                                         "unsafe_metadata",
                                                         "app_metadata",
                                                         "pla",
                                                         "kid",
                                                         "jku",
                                                         "jwk",
                                                         "alg",
                                                         "typ",
                                                         "org",
                                                         "x"};

std::string said(const SessionClaims& claims) {
    json::object out{{"sub", claims.subject},
                     {"sid", claims.session_id},
                     {"iss", claims.issuer},
                     {"azp", claims.authorized_party.value_or("")},
                     {"jti", claims.token_id},
                     {"v", claims.version},
                     {"sts", claims.status.value_or("")},
                     {"aud", json::array(claims.audience.begin(), claims.audience.end())}};
    const auto seconds = [](SystemTime at) { return at.time_since_epoch().count(); };
    out["exp"] = seconds(claims.expires_at);
    out["iat"] = seconds(claims.issued_at);
    if (claims.not_before) out["nbf"] = seconds(*claims.not_before);
    if (claims.factor_ages) out["fva"] = {claims.factor_ages->first, claims.factor_ages->second};
    if (claims.actor) out["act"] = claims.actor->subject;
    if (const auto& organization = claims.organization) {
        json::array permissions(organization->permissions.begin(), organization->permissions.end());
        out["org"] = {organization->id, organization->slug, organization->role, permissions};
    }
    return json::serialize(out);
}

class ErrorFuzzing : public testing::Test {
protected:
    std::string outcome(const json::object& head, const json::object& body) const {
        const std::string input = crypto::base64url_encode(json::serialize(head)) + "." +
                                  crypto::base64url_encode(json::serialize(body));
        const auto verdict = verify(input + "." + crypto::base64url_encode(key.sign(input)), set,
                                    rules, SystemTime(std::chrono::seconds(1'800'000'030)));
        return verdict ? said(*verdict) : std::string(to_string(verdict.error().reason));
    }

    // `object` with each of the values as `name`; `judged` makes a token of it.
    void check(const json::object& object, const Expected& expected, const auto& judged) {
        const std::string before = judged(object);
        ASSERT_TRUE(before.starts_with("{")) << before;
        for (std::size_t i = 0; i < values.size(); ++i) {
            json::object changed = object;
            changed[expected.name] = json::parse(values[i]);
            std::string after = judged(changed);
            if (after.starts_with("{")) after = after == before ? "same" : "other";
            EXPECT_EQ(after, expected.outcomes[i]) << expected.name << " is " << values[i];
        }
    }
    void check_header(const Expected& expected) {
        check(header, expected, [&](const auto& changed) { return outcome(changed, claims); });
    }
    void check_claims(const json::object& object, const Expected& expected) {
        check(object, expected, [&](const auto& changed) { return outcome(header, changed); });
    }
    static Expected all(std::string_view name, std::string_view outcome) {
        return {name, {outcome, outcome, outcome, outcome, outcome}};
    }

    crypto::SigningKey key = crypto::SigningKey::make();
    crypto::JwkSet set = *crypto::JwkSet::parse(R"({"keys":[)" + key.public_jwk() + "]}");
    TokenRules rules{.issuers = {"https://i"},
                     .authorized_parties = {"https://a"},
                     .audiences = {"x"},
                     .algorithms = {crypto::Algorithm::es256}};
    json::object header{
        {"alg", "ES256"}, {"typ", "JWT"}, {"cat", "cl_B7d4PD111AAA"}, {"kid", key.kid()}};
    // Every claim that is read, with the organization in the form of version 2.
    json::object claims =
        json::parse(R"({"sub":"user_1","sid":"sess_1","iss":"https://i","azp":"https://a",
            "aud":"x","iat":1800000000,"nbf":1800000000,"exp":1800000060,"jti":"t",
            "sts":"active","fva":[1,2],"act":{"sub":"user_2"},"v":2,"fea":"o:f",
            "o":{"id":"org_1","slg":"s","rol":"admin","per":"p","fpm":"1"}})")
            .as_object();
};

TEST_F(ErrorFuzzing, OfTheHeader) {
    for (const auto& expected : header_members) check_header(expected);
    for (const auto name : refused_members) check_header(all(name, "malformed"));
    for (const auto name : unread_members) check_header(all(name, "same"));
}

TEST_F(ErrorFuzzing, OfTheClaimsThatAreRead) {
    for (const auto& expected : claims_of_version_2) check_claims(claims, expected);
    json::object older = claims;
    older.erase("o");
    older.erase("v");
    older["org_id"] = "org_1";
    older["org_slug"] = "s";
    older["org_role"] = "org:admin";
    older["org_permissions"] = json::array{json::value("org:f:p")};
    for (const auto& expected : claims_of_version_1) check_claims(older, expected);
    for (const auto& expected : claims_of_version_1) {
        check_claims(claims, all(expected.name, "same"));
    }
}

TEST_F(ErrorFuzzing, OfTheClaimsThatOthersRead) {
    for (const auto name : unread_claims) check_claims(claims, all(name, "same"));
}

}  // namespace
}  // namespace rollcall::clerk
