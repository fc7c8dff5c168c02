#include "clerk/session_token.hpp"

#include "clerk/token_cases_test.hpp"
#include "crypto/signing_key.hpp"

#include <gtest/gtest.h>
#include <map>
#include <set>

namespace rollcall::clerk {
namespace {

constexpr auto data = ROLLCALL_SOURCE_DIR "/tests/data/tokens/";

class SessionToken : public testing::Test {
protected:
    SessionToken() : key_sets_(read_test_json(std::string(data) + "key_sets.json").as_object()) {}

    TokenVerdict judged(const json::object& token, std::int64_t now) {
        const auto* name = token.if_contains("keys");
        const auto text =
            std::string(key_sets_.at(name == nullptr ? "main" : name->get_string()).get_string());
        auto set = text.starts_with("-----") ? pinned(text) : published(text);
        if (!set) return std::unexpected(TokenRefusal{TokenReason::jwks_unavailable});
        if (const auto* then = token.if_contains("now")) now = then->get_int64();
        return verify(token.at("token").get_string(), *set, rules_of(token),
                      SystemTime(std::chrono::seconds(now)));
    }

    // Every token of the file becomes what the file says.
    void check_file(const std::string& file, std::size_t tokens_min) {
        const auto cases = read_test_json(data + file).as_object();
        const std::int64_t now = cases.at("now").get_int64();
        for (const auto& item : cases.at("tokens").get_array()) {
            const auto& token = item.get_object();
            const auto verdict = judged(token, now);
            const auto reason = verdict ? "ok" : to_string(verdict.error().reason);
            EXPECT_EQ(reason, token.at("expect").get_string()) << token.at("name").get_string();
            if (!verdict) {
                EXPECT_TRUE(verdict.error().reason == TokenReason::jwks_unavailable ||
                            !verdict.error().detail.empty());
            } else if (const auto* says = token.if_contains("says")) {
                check_claims(*verdict, says->get_object());
            }
        }
        EXPECT_GE(cases.at("tokens").get_array().size(), tokens_min);
    }

private:
    static std::optional<crypto::JwkSet> pinned(const std::string& pem) {
        auto key = crypto::VerifyKey::from_pem(pem);
        if (!key) return std::nullopt;
        return crypto::JwkSet::pinned(*std::move(key));
    }
    static std::optional<crypto::JwkSet> published(const std::string& text) {
        auto set = crypto::JwkSet::parse(text);
        if (!set) return std::nullopt;
        return *std::move(set);
    }
    static void check_claims(const SessionClaims& claims, const json::object& says) {
        if (const auto* actor = says.if_contains("actor")) {
            ASSERT_TRUE(claims.actor.has_value());
            EXPECT_EQ(claims.actor->subject, actor->get_string());
        }
        if (const auto* ages = says.if_contains("factor_ages_minutes")) {
            ASSERT_TRUE(claims.factor_ages.has_value());
            EXPECT_EQ(claims.factor_ages->first, ages->at(0).get_int64());
            EXPECT_EQ(claims.factor_ages->second, ages->at(1).get_int64());
        }
        const auto* organization = says.if_contains("organization");
        if (organization == nullptr) return;
        ASSERT_EQ(claims.organization.has_value(), organization->is_object());
        if (!claims.organization) return;
        EXPECT_EQ(claims.organization->id, organization->at("id").get_string());
        EXPECT_EQ(claims.organization->slug, organization->at("slug").get_string());
        EXPECT_EQ(claims.organization->role, organization->at("role").get_string());
        EXPECT_EQ(claims.organization->permissions, strings_of(organization->at("permissions")));
    }

    json::object key_sets_;
};

TEST_F(SessionToken, HasTheFormOfRfc7515) {
    check_file("form.json", 100);
}

TEST_F(SessionToken, WithstandsTheKnownAttacks) {
    check_file("attacks.json", 140);
}

TEST_F(SessionToken, WithstandsTheRestOfJwtToolsPlaybook) {
    check_file("playbook.json", 245);
}

TEST_F(SessionToken, SaysWhoseItIsForWhomAndWhen) {
    check_file("claims.json", 230);
}

TEST_F(SessionToken, NeedsAKeySetThatCanBeTrusted) {
    check_file("sets.json", 50);
}

TEST(TokenReasons, HaveNamesOfTheirOwn) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < token_reasons; ++i) {
        names.insert(to_string(static_cast<TokenReason>(i)));
    }
    EXPECT_EQ(names.size(), token_reasons);
    EXPECT_FALSE(names.contains(""));
    EXPECT_EQ(to_string(TokenReason::jwks_unavailable), "jwks_unavailable");
    EXPECT_EQ(clerk_reason(TokenReason::expired), "token-expired");
    EXPECT_EQ(clerk_reason(TokenReason::session_pending), "");
}

// A key of rollcall's own and tokens made with it, for what needs no second signer.
class Judge : public testing::Test {
protected:
    std::string payload(std::string_view more = "") const {
        return R"({"sub":"user_1","sid":"sess_1","iss":"https://i","iat":1000,"exp":1060)" +
               std::string(more) + "}";
    }
    TokenVerdict verdict(std::string_view body) const {
        return verify(key.issue(body), set, rules, at(1030));
    }
    static SystemTime at(std::int64_t seconds) { return SystemTime(std::chrono::seconds(seconds)); }

    crypto::SigningKey key = crypto::SigningKey::make();
    crypto::JwkSet set = *crypto::JwkSet::parse(R"({"keys":[)" + key.public_jwk() + "]}");
    TokenRules rules{.issuers = {"https://i"}, .algorithms = {crypto::Algorithm::es256}};
};

TEST_F(Judge, TakesItsOwnToken) {
    const auto claims = verdict(payload(R"(,"azp":"https://a","aud":["x","y"],"jti":"t")"));
    ASSERT_TRUE(claims.has_value());
    EXPECT_EQ(claims->subject, "user_1");
    EXPECT_EQ(claims->session_id, "sess_1");
    EXPECT_EQ(claims->authorized_party, "https://a");
    EXPECT_EQ(claims->audience, (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(claims->token_id, "t");
    EXPECT_EQ(claims->issued_at, at(1000));
    EXPECT_EQ(claims->expires_at, at(1060));
    EXPECT_FALSE(claims->not_before.has_value());
    EXPECT_FALSE(claims->organization.has_value());
    EXPECT_FALSE(claims->status.has_value());
}

// fault 37
// What was verified once is judged again by time and rules: a remembered token dies on time.
TEST_F(Judge, LooksAtTimeAndRulesAgain) {
    const auto claims = verdict(payload(R"(,"azp":"https://a")"));
    ASSERT_TRUE(claims.has_value());
    EXPECT_TRUE(judge(*claims, rules, at(1064)).has_value());
    EXPECT_EQ(judge(*claims, rules, at(1065)).error().reason, TokenReason::expired);
    TokenRules stricter = rules;
    stricter.authorized_parties = {"https://b"};
    EXPECT_EQ(judge(*claims, stricter, at(1030)).error().reason, TokenReason::bad_azp);
    stricter = rules;
    stricter.issuers = {"https://j"};
    EXPECT_EQ(judge(*claims, stricter, at(1030)).error().reason, TokenReason::bad_issuer);
}

TEST_F(Judge, SaysWhichKidIsUnknown) {
    const auto other = crypto::SigningKey::make();
    const auto refused = verify(other.issue(payload()), set, rules, at(1030));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().reason, TokenReason::kid_unknown);
    EXPECT_EQ(refused.error().kid, other.kid());
}

TEST_F(Judge, ChecksTheSignatureAloneWhereThatIsAsked) {
    const std::vector<crypto::Algorithm> es256{crypto::Algorithm::es256};
    EXPECT_EQ(verify_signature(key.issue("It's a dangerous business"), set, es256),
              "It's a dangerous business");
    const auto other = crypto::SigningKey::make();
    EXPECT_EQ(verify_signature(other.issue("{}"), set, es256).error().reason,
              TokenReason::kid_unknown);
    EXPECT_EQ(verify_signature(key.issue("{}"), set, {crypto::Algorithm::rs256}).error().reason,
              TokenReason::alg_not_allowed);
    EXPECT_EQ(verify_signature("", set, es256).error().reason, TokenReason::missing_token);
}

TEST_F(Judge, AnHmacIsNothing) {
    const auto hmac =
        *crypto::SigningKey::from_shared_secret(Secret("0123456789abcdef0123456789abcdef"));
    EXPECT_EQ(verify(hmac.issue(payload()), set, rules, at(1030)).error().reason,
              TokenReason::alg_not_allowed);
}

}  // namespace
}  // namespace rollcall::clerk
