#include "crypto/rsa_signing_key.hpp"

#include "crypto/signing_key.hpp"
#include "crypto/verify_key.hpp"

#include <gtest/gtest.h>

namespace rollcall::crypto {
namespace {

TEST(RsaSigningKey, SignsWhatItsPublicHalfVerifies) {
    const auto key = RsaSigningKey::make();
    const auto open = VerifyKey::from_pem(key.public_pem());
    ASSERT_TRUE(open.has_value());
    const auto signature = key.sign("signed bytes");
    EXPECT_EQ(signature.size(), 256U);
    EXPECT_TRUE(open->verify(Algorithm::rs256, "signed bytes", signature));
    EXPECT_FALSE(open->verify(Algorithm::rs256, "other bytes", signature));
    EXPECT_FALSE(open->verify(Algorithm::ps256, "signed bytes", signature));
    EXPECT_EQ(open->members(), key.members());
    EXPECT_FALSE(key.members().contains("\"d\""));
}

TEST(RsaSigningKey, RefusesWhatIsNoPrivateRsaKey) {
    const auto why = [](const Secret& pem) { return RsaSigningKey::from_pem(pem).error().message; };
    EXPECT_EQ(why(Secret("")), "a signing key must be an unencrypted PRIVATE KEY in PEM");
    EXPECT_EQ(why(SigningKey::make().to_pem()), "a signing key must be of RSA");
    EXPECT_EQ(why(Secret(std::string(20'000, 'x'))), "a signing key that is too large");
    EXPECT_EQ(why(Secret(RsaSigningKey::make().public_pem())),
              "a signing key must be an unencrypted PRIVATE KEY in PEM");
}

}  // namespace
}  // namespace rollcall::crypto
