#include "crypto/verify_key.hpp"

#include "crypto/encoding.hpp"
#include "crypto/signing_key.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <string>

namespace rollcall::crypto {
namespace {

// RFC 7515 appendix A.2.
constexpr std::string_view modulus =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d"
    "4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexM"
    "dbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvU"
    "K-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
// RFC 7515 appendix A.3.
constexpr std::string_view point_x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
constexpr std::string_view point_y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

std::string bytes(std::string_view text) {
    return *base64url_decode(text);
}

std::string why_rsa(const std::string& n, const std::string& e) {
    const auto key = VerifyKey::from_rsa(n, e);
    return key ? "taken" : key.error().message;
}

TEST(VerifyKey, NamesOfAlgorithmsAreExact) {
    EXPECT_EQ(parse_algorithm("RS256"), Algorithm::rs256);
    EXPECT_EQ(parse_algorithm("ES256"), Algorithm::es256);
    EXPECT_EQ(parse_algorithm("PS256"), Algorithm::ps256);
    for (const char* name : {"", "none", "HS256", "rs256", "RS256 ", "RS384", "ES512", "EdDSA"}) {
        EXPECT_EQ(parse_algorithm(name), std::nullopt) << name;
    }
}

TEST(VerifyKey, ServesTheAlgorithmsOfItsType) {
    auto rsa = *VerifyKey::from_rsa(bytes(modulus), bytes("AQAB"));
    EXPECT_TRUE(rsa.serves(Algorithm::rs256));
    EXPECT_TRUE(rsa.serves(Algorithm::ps256));
    EXPECT_FALSE(rsa.serves(Algorithm::es256));
    rsa.only(Algorithm::rs256);
    EXPECT_TRUE(rsa.serves(Algorithm::rs256));
    EXPECT_FALSE(rsa.serves(Algorithm::ps256));
    const auto point = *VerifyKey::from_p256(bytes(point_x), bytes(point_y));
    EXPECT_TRUE(point.serves(Algorithm::es256));
    EXPECT_FALSE(point.serves(Algorithm::rs256));
    EXPECT_FALSE(point.verify(Algorithm::rs256, "x", std::string(256, 'x')));
}

TEST(VerifyKey, RefusesWeakRsaKeys) {
    const std::string n = bytes(modulus);
    const std::string e = bytes("AQAB");
    EXPECT_EQ(why_rsa(n, e), "taken");
    EXPECT_EQ(why_rsa(std::string(3, '\0') + n, e), "taken");
    EXPECT_EQ(why_rsa(n, bytes("Aw")), "taken");
    EXPECT_NE(why_rsa("\x7F" + n.substr(1), e), "taken");  // 2047 bits
    EXPECT_EQ(why_rsa("\x80" + n.substr(1), e), "taken");
    EXPECT_NE(why_rsa(n.substr(1), e), "taken");  // 2040 bits
    EXPECT_NE(why_rsa("\x01" + n.substr(1), e), "taken");
    EXPECT_NE(why_rsa(n.substr(0, 255) + '\x10', e), "taken");  // even
    EXPECT_NE(why_rsa(n, bytes("AQ")), "taken");
    EXPECT_NE(why_rsa(n, bytes("Ag")), "taken");
    EXPECT_NE(why_rsa(n, ""), "taken");
    EXPECT_NE(why_rsa("", e), "taken");
    EXPECT_NE(why_rsa(n, std::string("\x01", 1) + std::string(7, '\0') + "\x01"), "taken");
    EXPECT_NE(why_rsa(n + n + n + n + n, e), "taken");  // 10240 bits
    EXPECT_NE(why_rsa(std::string(1'000'000, 'x'), e), "taken");
}

// 65537 to the 130th, which bears the mark as the product of two such primes does.
TEST(VerifyKey, RefusesTheMarkOfWeakPrimes) {
    std::string little_endian = "\x01";
    for (int power = 0; power < 130; ++power) {
        std::string next = little_endian + std::string(2, '\0');
        unsigned carry = 0;
        for (std::size_t i = 0; i < next.size(); ++i) {
            const unsigned shifted = i < 2 ? 0U : static_cast<unsigned char>(little_endian[i - 2]);
            const unsigned sum = static_cast<unsigned char>(next[i]) + shifted + carry;
            next[i] = static_cast<char>(sum & 0xFFU);
            carry = sum >> 8U;
        }
        if (carry > 0) next += static_cast<char>(carry);
        little_endian = next;
    }
    const std::string n(little_endian.rbegin(), little_endian.rend());
    EXPECT_EQ(why_rsa(n, bytes("AQAB")), "an RSA key of weak primes (CVE-2017-15361)");
}

TEST(VerifyKey, RefusesWhatIsNoPoint) {
    const std::string x = bytes(point_x);
    const std::string y = bytes(point_y);
    EXPECT_TRUE(VerifyKey::from_p256(x, y).has_value());
    EXPECT_FALSE(VerifyKey::from_p256(y, x).has_value());
    EXPECT_FALSE(VerifyKey::from_p256(x, x).has_value());
    EXPECT_FALSE(VerifyKey::from_p256(std::string(32, '\0'), std::string(32, '\0')).has_value());
    EXPECT_FALSE(VerifyKey::from_p256(std::string(32, '\xFF'), y).has_value());
    EXPECT_FALSE(VerifyKey::from_p256(x.substr(1), y).has_value());
    EXPECT_FALSE(VerifyKey::from_p256('\0' + x, y).has_value());
    EXPECT_FALSE(VerifyKey::from_p256("", "").has_value());
}

// A verdict must leave nothing behind that TLS on the same thread would take for its own.
TEST(VerifyKey, LeavesNoErrorInOpenSslsQueue) {
    const auto point = *VerifyKey::from_p256(bytes(point_x), bytes(point_y));
    const auto rsa = *VerifyKey::from_rsa(bytes(modulus), bytes("AQAB"));
    const std::string signature(256, '\x01');
    EXPECT_FALSE(point.verify(Algorithm::es256, "x", signature.substr(0, 64)));
    EXPECT_EQ(ERR_get_error(), 0UL);
    EXPECT_FALSE(rsa.verify(Algorithm::rs256, "x", signature));
    EXPECT_EQ(ERR_get_error(), 0UL);
    EXPECT_FALSE(rsa.verify(Algorithm::rs256, "x", "short"));
    EXPECT_EQ(ERR_get_error(), 0UL);
    EXPECT_FALSE(rsa.verify(Algorithm::ps256, "x", signature));
    EXPECT_EQ(ERR_get_error(), 0UL);
    EXPECT_FALSE(VerifyKey::from_p256(std::string(32, '\x01'), std::string(32, '\x01')));
    EXPECT_EQ(ERR_get_error(), 0UL);
    EXPECT_FALSE(VerifyKey::from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"));
    EXPECT_EQ(ERR_get_error(), 0UL);
}

TEST(VerifyKey, OneKeyManyVerdicts) {
    const auto key = SigningKey::make();
    const auto other = SigningKey::make();
    const auto open = [](const SigningKey& from) {
        const std::string& jwk = from.public_jwk();
        const auto part = [&](std::string_view name) {
            const auto at = jwk.find("\"" + std::string(name) + "\":\"") + name.size() + 4;
            return bytes(jwk.substr(at, jwk.find('"', at) - at));
        };
        return *VerifyKey::from_p256(part("x"), part("y"));
    };
    const auto one = open(key);
    const auto two = open(other);
    for (int i = 0; i < 50; ++i) {
        const std::string text = "text " + std::to_string(i);
        const std::string signature = key.sign(text);
        EXPECT_EQ(signature.size(), 64U);
        EXPECT_TRUE(one.verify(Algorithm::es256, text, signature));
        EXPECT_FALSE(one.verify(Algorithm::es256, text + ".", signature));
        EXPECT_FALSE(two.verify(Algorithm::es256, text, signature));
        std::string changed = signature;
        changed[static_cast<std::size_t>(i)] ^= 1;
        EXPECT_FALSE(one.verify(Algorithm::es256, text, changed));
    }
}

}  // namespace
}  // namespace rollcall::crypto
