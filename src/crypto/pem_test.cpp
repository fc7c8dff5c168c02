#include "crypto/pem.hpp"

#include "crypto/encoding.hpp"
#include "crypto/verify_key.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::crypto {
namespace {

using testing::HasSubstr;
using testing::Not;

// The point of RFC 7515 appendix A.3, as openssl writes it.
constexpr std::string_view point =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
    "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
    "-----END PUBLIC KEY-----\n";

std::string why(const std::string& text) {
    const auto der = public_key_der(text);
    return der ? "taken" : der.error().message;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

TEST(Pem, IsReadAsPeoplePasteIt) {
    const std::string text(point);
    const auto expected = *public_key_der(text);
    EXPECT_EQ(expected.size(), 91U);
    for (const std::string& form :
         {text + "\n\n", "  " + text, replaced(text, "\n", "\r\n"), replaced(text, "\n", "\\n"),
          replaced(text, "\n", "\\r\\n"), replaced(text, "\n", ""), replaced(text, "\n", " "),
          text.substr(0, text.size() - 1)}) {
        EXPECT_EQ(public_key_der(form).value_or("refused"), expected) << form;
    }
    const auto key = VerifyKey::from_pem(text);
    ASSERT_TRUE(key.has_value());
    EXPECT_TRUE(key->serves(Algorithm::es256));
    EXPECT_THAT(key->members(), HasSubstr("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"));
}

TEST(Pem, SaysWhatItIsInstead) {
    const auto labelled = [](const std::string& label) {
        return "-----BEGIN " + label + "-----\nAAAA\n-----END " + label + "-----\n";
    };
    EXPECT_THAT(why(labelled("RSA PUBLIC KEY")), HasSubstr("PKCS#1"));
    EXPECT_THAT(why(labelled("CERTIFICATE")), HasSubstr("certificate"));
    EXPECT_THAT(why(labelled("PRIVATE KEY")), HasSubstr("private key"));
    EXPECT_THAT(why(labelled("RSA PRIVATE KEY")), HasSubstr("private key"));
    EXPECT_THAT(why(labelled("EC PARAMETERS")), HasSubstr("another object"));
    EXPECT_THAT(why(""), HasSubstr("does not begin"));
    EXPECT_THAT(why("MFkwEwYH"), HasSubstr("does not begin"));
    EXPECT_THAT(why("-----BEGIN PUBLIC KEY"), HasSubstr("no end"));
    EXPECT_THAT(why("-----BEGIN PUBLIC KEY-----\nAAAA"), HasSubstr("does not end"));
    EXPECT_THAT(why("-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----"), HasSubstr("base64"));
    EXPECT_THAT(why(std::string(point) + std::string(point)), HasSubstr("base64"));
    EXPECT_THAT(why(std::string(point) + "x"), HasSubstr("does not end"));
    EXPECT_THAT(why(std::string(20'000, 'x')), HasSubstr("too large"));
    EXPECT_THAT(why(labelled("SECRET THING PRIVATE KEY")), Not(HasSubstr("SECRET THING")));
}

TEST(Pem, TakesNoMoreThanTheKey) {
    const auto der = *public_key_der(point);
    const auto wrapped = [](std::string_view bytes) {
        return "-----BEGIN PUBLIC KEY-----\n" + base64_encode(bytes) +
               "\n-----END PUBLIC KEY-----\n";
    };
    EXPECT_TRUE(VerifyKey::from_pem(wrapped(der)).has_value());
    EXPECT_FALSE(VerifyKey::from_pem(wrapped(der + "x")).has_value());
    EXPECT_FALSE(VerifyKey::from_pem(wrapped(der.substr(0, 90))).has_value());
    EXPECT_FALSE(VerifyKey::from_pem(wrapped("x")).has_value());
}

}  // namespace
}  // namespace rollcall::crypto
