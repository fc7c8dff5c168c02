#include "crypto/signing_key.hpp"

#include "crypto/digest.hpp"
#include "crypto/jwk_set.hpp"
#include "crypto/jws.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::crypto {
namespace {

using testing::HasSubstr;
using testing::Not;

bool verifies(const SigningKey& key, std::string_view token) {
    const auto set = JwkSet::parse(R"({"keys":[)" + key.public_jwk() + "]}");
    const auto jws = read_compact(token);
    if (!set || !jws || !jws->header->kid) return false;
    const auto* const found = set->find(*jws->header->kid);
    return found != nullptr && found->verify(Algorithm::es256, jws->signed_bytes, jws->signature);
}

TEST(SigningKey, IsPublishedWithoutItsSecret) {
    const auto key = SigningKey::make();
    EXPECT_EQ(key.algorithm(), "ES256");
    EXPECT_EQ(key.kid().size(), 43U);
    EXPECT_THAT(key.public_jwk(), HasSubstr(R"("kid":")" + key.kid() + '"'));
    EXPECT_THAT(key.public_jwk(), HasSubstr(R"("alg":"ES256")"));
    EXPECT_THAT(key.public_jwk(), HasSubstr(R"("use":"sig")"));
    EXPECT_THAT(key.public_jwk(), Not(HasSubstr(R"("d":)")));
    const auto set = JwkSet::parse(R"({"keys":[)" + key.public_jwk() + "]}");
    ASSERT_TRUE(set.has_value());
    EXPECT_EQ(set->sole()->thumbprint(), key.kid());
}

TEST(SigningKey, ComesBackFromItsPem) {
    const auto key = SigningKey::make();
    const auto again = SigningKey::from_pem(key.to_pem());
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->kid(), key.kid());
    EXPECT_TRUE(verifies(key, again->issue(R"({"a":1})")));
    EXPECT_NE(SigningKey::make().kid(), key.kid());
}

TEST(SigningKey, IssuesWhatOthersRead) {
    const auto key = SigningKey::make();
    const auto token = key.issue(R"({"sub":"x"})");
    const auto jws = read_compact(token);
    ASSERT_TRUE(jws.has_value());
    EXPECT_EQ(jws->header->alg, "ES256");
    EXPECT_EQ(jws->header->typ, "JWT");
    EXPECT_EQ(jws->header->kid, key.kid());
    EXPECT_EQ(jws->payload, R"({"sub":"x"})");
    EXPECT_TRUE(verifies(key, token));
    EXPECT_FALSE(verifies(SigningKey::make(), token));
}

TEST(SigningKey, SignsByASharedSecret) {
    const std::string secret = "0123456789abcdef0123456789abcdef";
    const auto key = SigningKey::from_shared_secret(Secret(secret));
    ASSERT_TRUE(key.has_value());
    EXPECT_EQ(key->algorithm(), "HS256");
    EXPECT_EQ(key->kid(), "");
    EXPECT_EQ(key->public_jwk(), "");
    EXPECT_TRUE(key->to_pem().empty());
    const auto token = key->issue("{}");
    const auto jws = read_compact(token);
    ASSERT_TRUE(jws.has_value());
    EXPECT_EQ(jws->header->alg, "HS256");
    EXPECT_FALSE(jws->header->kid.has_value());
    const Sha256 mac = HmacKey(secret).sign(jws->signed_bytes);
    EXPECT_EQ(jws->signature, std::string(reinterpret_cast<const char*>(mac.data()), mac.size()));
    EXPECT_FALSE(SigningKey::from_shared_secret(Secret(secret.substr(1))).has_value());
}

// Made by: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384
constexpr const char* of_another_curve = R"(-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDCBpsRmwqQouROrCPmN
W2ab4FMBcpIzGre76E7RVAxjUGtJtsQrhU0pXaDpiWkfPC+hZANiAAQLVPUgiI//
gQb1Yb/3eVdcqQ1fw24qUV8jKOQaeLRzC42CiNSeldSV9pks+R9vpgSfKCn8Jltd
8ZK5O5aQAuUyfznDsdu7NIVbY2crfOsKN1T6SQWYA5y/3SmU+BTreOU=
-----END PRIVATE KEY-----
)";

TEST(SigningKey, RefusesOtherKeys) {
    const std::string pem(SigningKey::make().to_pem().reveal());
    for (const std::string& text :
         {std::string(), std::string("x"), pem.substr(0, pem.size() / 2), std::string(20'000, 'x'),
          std::string("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")}) {
        const auto key = SigningKey::from_pem(Secret(text));
        ASSERT_FALSE(key.has_value());
        EXPECT_THAT(key.error().message, HasSubstr("signing key"));
    }
    const auto other = SigningKey::from_pem(Secret(of_another_curve));
    ASSERT_FALSE(other.has_value());
    EXPECT_EQ(other.error().message, "a signing key must be of P-256");
}

}  // namespace
}  // namespace rollcall::crypto
