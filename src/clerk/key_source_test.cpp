#include "clerk/key_source.hpp"

#include "crypto/encoding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::clerk {
namespace {

using testing::HasSubstr;

constexpr const char* pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
    "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
    "-----END PUBLIC KEY-----\n";

std::string publishable(const std::string& host) {
    return "pk_test_" + crypto::base64_encode(host);
}

KeySettings everything() {
    return {.jwt_key = pem,
            .jwks_url = "https://keys.example.com/jwks",
            .api_url = "https://api.clerk.com/",
            .secret_key = Secret("sk_test_x"),
            .publishable_key = publishable("clerk.example.com$"),
            .issuer = "https://issuer.example.com"};
}

std::string why(const KeySettings& settings) {
    const auto source = choose_key_source(settings);
    return source ? "taken" : source.error().message;
}

TEST(KeySource, IsTheFirstThatIsSet) {
    auto settings = everything();
    auto source = *choose_key_source(settings);
    EXPECT_TRUE(source.pinned.has_value());
    EXPECT_EQ(source.url, "");
    EXPECT_EQ(source.issuer, "https://issuer.example.com");
    settings.jwt_key.clear();
    source = *choose_key_source(settings);
    EXPECT_FALSE(source.pinned.has_value());
    EXPECT_EQ(source.url, "https://keys.example.com/jwks");
    EXPECT_TRUE(source.bearer.empty());
    settings.jwks_url.clear();
    source = *choose_key_source(settings);
    EXPECT_EQ(source.url, "https://api.clerk.com/v1/jwks");
    EXPECT_EQ(source.bearer.reveal(), "sk_test_x");
    settings.secret_key = Secret();
    settings.issuer.clear();
    source = *choose_key_source(settings);
    EXPECT_EQ(source.url, "https://clerk.example.com/.well-known/jwks.json");
    EXPECT_TRUE(source.bearer.empty());
    EXPECT_EQ(source.issuer, "https://clerk.example.com");
    settings.publishable_key.clear();
    EXPECT_THAT(why(settings), HasSubstr("CLERK_JWT_KEY"));
}

TEST(KeySource, KnowsNoIssuerUnlessItIsTold) {
    auto settings = everything();
    settings.issuer.clear();
    EXPECT_EQ(choose_key_source(settings)->issuer, "https://clerk.example.com");
    settings.publishable_key.clear();
    EXPECT_EQ(choose_key_source(settings)->issuer, "");
}

TEST(KeySource, RefusesWhatCannotBeAndSaysWhere) {
    auto settings = everything();
    settings.jwt_key = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    EXPECT_THAT(why(settings), HasSubstr("CLERK_JWT_KEY: PEM: a certificate"));
    settings.jwt_key.clear();
    settings.jwks_url = "http://keys.example.com/";
    EXPECT_THAT(why(settings), HasSubstr("gate.jwks_url"));
    settings.jwks_url = "http://127.0.0.1:8999/jwks";
    EXPECT_EQ(why(settings), "taken");
    settings.jwks_url.clear();
    settings.api_url = "http://api.example.com";
    EXPECT_THAT(why(settings), HasSubstr("clerk.api_url"));
    settings = everything();
    settings.publishable_key = "sk_test_x";
    EXPECT_THAT(why(settings), HasSubstr("CLERK_PUBLISHABLE_KEY"));
}

TEST(KeySource, ReadsTheHostInAPublishableKey) {
    EXPECT_EQ(frontend_api_of(publishable("clerk.example.com$")), "https://clerk.example.com");
    EXPECT_EQ(frontend_api_of("pk_live_" + crypto::base64_encode("a.b-c.dev$")),
              "https://a.b-c.dev");
    std::string bare = publishable("sim.clerk.accounts.dev$");
    while (bare.ends_with('=')) bare.pop_back();
    EXPECT_EQ(frontend_api_of(bare), "https://sim.clerk.accounts.dev");
    for (const std::string& key :
         {std::string(), std::string("pk_test_"), publishable("clerk.example.com"),
          publishable("$"), publishable("localhost$"), publishable("a.b$$"), publishable("a..b$"),
          publishable(".a.b$"), publishable("a.b.$"), publishable("A.b$"), publishable("a.b/c$"),
          publishable("a.b@evil.com$"), publishable("a.b:80$"), publishable("a.b?x$"),
          publishable("a.b\n$"), "pk_prod_" + crypto::base64_encode("a.b$"),
          std::string("pk_test_!!!!"), "pk_test_" + std::string(600, 'A')}) {
        EXPECT_FALSE(frontend_api_of(key).has_value()) << key;
    }
}

// What getCookieSuffix of @clerk/shared 4.41.0 makes of it.
TEST(SessionCookies, ThatOfTheInstanceGoesFirst) {
    EXPECT_EQ(session_cookies("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k"),
              (std::vector<std::string>{"__session_l2OS3d9k", "__session"}));
    EXPECT_EQ(session_cookies(""), (std::vector<std::string>{"__session"}));
}

}  // namespace
}  // namespace rollcall::clerk
