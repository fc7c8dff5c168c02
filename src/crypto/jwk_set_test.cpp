#include "crypto/jwk_set.hpp"

#include "crypto/signing_key.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::crypto {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class JwkSetTest : public testing::Test {
protected:
    // A good key with the members of `more` after its own.
    static std::string key(const std::string& more = "") {
        std::string jwk = SigningKey::make().public_jwk();
        if (!more.empty()) jwk.insert(jwk.size() - 1, "," + more);
        return jwk;
    }
    static std::string set(const std::vector<std::string>& keys) {
        std::string text = R"({"keys":[)";
        for (const auto& one : keys) {
            if (!text.ends_with('[')) text += ',';
            text += one;
        }
        return text + "]}";
    }
    static std::string fault(const std::string& text) {
        const auto parsed = JwkSet::parse(text);
        return std::string(parsed ? "taken" : to_string(parsed.error()));
    }
};

TEST_F(JwkSetTest, FindsAKeyByItsName) {
    const auto one = SigningKey::make();
    const auto two = SigningKey::make();
    const auto keys = JwkSet::parse(set({one.public_jwk(), two.public_jwk()}));
    ASSERT_TRUE(keys.has_value());
    EXPECT_EQ(keys->size(), 2U);
    EXPECT_THAT(keys->kids(), ElementsAre(one.kid(), two.kid()));
    EXPECT_EQ(keys->find(one.kid())->thumbprint(), one.kid());
    EXPECT_EQ(keys->find(two.kid())->thumbprint(), two.kid());
    EXPECT_EQ(keys->find(""), nullptr);
    EXPECT_EQ(keys->find(one.kid().substr(1)), nullptr);
    EXPECT_EQ(keys->sole(), nullptr);
}

TEST_F(JwkSetTest, TwoSetsOfOnePublisherShareAKey) {
    const auto one = SigningKey::make();
    const auto two = SigningKey::make();
    const auto both = JwkSet::parse(set({one.public_jwk(), two.public_jwk()}));
    const auto first = JwkSet::parse(set({one.public_jwk()}));
    const auto second = JwkSet::parse(set({two.public_jwk()}));
    EXPECT_TRUE(both->shares_key_with(*second));
    EXPECT_TRUE(first->shares_key_with(*both));
    EXPECT_FALSE(first->shares_key_with(*second));
}

TEST_F(JwkSetTest, APinnedKeyHasEveryName) {
    const auto one = SigningKey::make();
    auto keys = JwkSet::parse(set({one.public_jwk()}));
    ASSERT_TRUE(keys.has_value());
    EXPECT_EQ(keys->sole(), keys->find(one.kid()));
    const auto pinned = JwkSet::pinned(
        *VerifyKey::from_pem("-----BEGIN PUBLIC KEY-----\n"
                             "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
                             "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
                             "-----END PUBLIC KEY-----\n"));
    EXPECT_NE(pinned.find("any"), nullptr);
    EXPECT_EQ(pinned.find("any"), pinned.sole());
    EXPECT_TRUE(pinned.kids().empty());
}

TEST_F(JwkSetTest, SaysWhyASetIsRefused) {
    EXPECT_EQ(fault(set({key()})), "taken");
    EXPECT_EQ(fault(std::string(JwkSet::bytes_max + 1, ' ')), "too_large");
    EXPECT_EQ(fault(set({key()}) + std::string(JwkSet::bytes_max - 1000, ' ')), "taken");
    EXPECT_EQ(fault("<html>"), "not_json");
    EXPECT_EQ(fault(R"({"keys":[],"keys":[]})"), "not_json");
    EXPECT_EQ(fault(set({key(R"("x":1,"x":2)")})), "not_json");
    EXPECT_EQ(fault("[]"), "not_a_set");
    EXPECT_EQ(fault("{}"), "not_a_set");
    EXPECT_EQ(fault(R"({"keys":null})"), "not_a_set");
    EXPECT_EQ(fault(set({key(), "1"})), "not_a_set");
    EXPECT_EQ(fault(set(std::vector<std::string>(33, "{}"))), "too_many_keys");
    const auto same = key();
    EXPECT_EQ(fault(set({same, same})), "duplicate_kid");
    EXPECT_EQ(fault(set({key(), R"({"kid":"a"})", R"({"kid":"a"})"})), "duplicate_kid");
    EXPECT_EQ(fault(set({key(), R"({"kty":"oct"})"})), "symmetric_key");
    EXPECT_EQ(fault(set({key(R"("k":"")")})), "symmetric_key");
    for (const char* member : {"d", "p", "q", "dp", "dq", "qi", "oth"}) {
        EXPECT_EQ(fault(set({key('"' + std::string(member) + "\":null")})), "private_key");
    }
    EXPECT_EQ(fault(set({})), "no_usable_key");
    EXPECT_EQ(fault(set({R"({"kty":"OKP","kid":"a"})"})), "no_usable_key");
}

TEST_F(JwkSetTest, EveryFaultHasAName) {
    for (int i = 0; i <= static_cast<int>(JwkSetFault::no_usable_key); ++i) {
        EXPECT_NE(to_string(static_cast<JwkSetFault>(i)), "");
        EXPECT_NE(describe(static_cast<JwkSetFault>(i)), "");
    }
}

TEST_F(JwkSetTest, KeepsWhyAKeyWasLeftOut) {
    const auto keys = JwkSet::parse(
        set({key(), R"({"kty":"OKP","kid":"a"})", R"({"kty":"EC","crv":"P-384","kid":"b"})",
             R"({"kty":"RSA","kid":"c","n":"AQAB","e":"AQAB"})", R"({"kty":"RSA","kid":"d"})",
             R"({"kty":"RSA","kid":"e","use":"enc"})", R"({"kty":"RSA","kid":7})"}));
    ASSERT_TRUE(keys.has_value());
    EXPECT_EQ(keys->size(), 1U);
    std::vector<std::string> why;
    for (const auto& one : keys->left_out()) why.push_back(one.kid + ": " + one.why);
    EXPECT_THAT(why, ElementsAre(HasSubstr("a: of another type"), HasSubstr("b: of another curve"),
                                 HasSubstr("c: an RSA key of 17 bits"), HasSubstr("d: n or e"),
                                 HasSubstr("e: not for signatures"), HasSubstr("its kid")));
}

}  // namespace
}  // namespace rollcall::crypto
