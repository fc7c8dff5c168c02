#include "gate/token_exchange.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace rollcall::gate {
namespace {

const std::string grant = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange";
const std::string jwt = "urn:ietf:params:oauth:token-type:jwt";
const std::string good = grant + "&subject_token=a.b.c&subject_token_type=" + jwt;

std::expected<ExchangeRequest, OAuthError> read(std::string body,
                                                const std::vector<std::string>& audiences = {},
                                                const std::vector<std::string>& types = {
                                                    "application/x-www-form-urlencoded"}) {
    http::Request request;
    request.method = "POST";
    for (const std::string& type : types) request.headers.add("Content-Type", type);
    request.body = std::move(body);
    return read_exchange(request, audiences);
}
std::string refusal(const std::string& body, const std::vector<std::string>& audiences = {}) {
    const auto asked = read(body, audiences);
    return asked ? "none" : std::string(asked.error().error);
}
std::string audience(const std::string& body, const std::vector<std::string>& audiences = {}) {
    const auto asked = read(body, audiences);
    return asked ? asked->audience : std::string(asked.error().error);
}

TEST(TokenExchange, TheLeastThatIsAskedIsAnAccessTokenForSupabase) {
    const auto asked = read(good);
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->subject_token, "a.b.c");
    EXPECT_EQ(asked->audience, "authenticated");
    EXPECT_EQ(asked->issued_token_type, "urn:ietf:params:oauth:token-type:access_token");
    EXPECT_EQ(read(good + "&requested_token_type=" + jwt)->issued_token_type, jwt);
}

TEST(TokenExchange, PercentSignsAndPlusesAreDecoded) {
    const auto asked = read(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3agrant-type%3Atoken-exchange&subject%5Ftoken=a%2Eb"
        "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&client_id=x+"
        "y");
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->subject_token, "a.b");
    for (const std::string bad : {"%", "%4", "%g0", "%4g", "%ff", "%C3", "%00", "%0a", "%7F"}) {
        for (const std::string& field : {"x=" + bad, bad + "=x"}) {
            EXPECT_EQ(refusal(fmt::format("{}&{}", good, field)), "invalid_request") << field;
        }
    }
}

TEST(TokenExchange, OnlyOneFormIsAForm) {
    EXPECT_TRUE(read(good, {}, {"Application/X-WWW-Form-Urlencoded ; charset=UTF-8"}));
    for (const std::vector<std::string>& types : std::vector<std::vector<std::string>>{
             {},
             {"application/json"},
             {"application/x-www-form-urlencodedx"},
             {"application/x-www-form-urlencoded", "application/x-www-form-urlencoded"}}) {
        const auto asked = read(good, {}, types);
        ASSERT_FALSE(asked);
        EXPECT_EQ(asked.error().error, "invalid_request");
    }
}

TEST(TokenExchange, AnotherGrantIsNotSupported) {
    for (const std::string other : {"client_credentials", "authorization_code", "refresh_token",
                                    "urn:ietf:params:oauth:grant-type:jwt-bearer",
                                    "urn:ietf:params:oauth:grant-type:token-exchange%20"}) {
        EXPECT_EQ(refusal("grant_type=" + other), "unsupported_grant_type") << other;
    }
    EXPECT_EQ(refusal(""), "invalid_request");
    EXPECT_EQ(refusal("grant_type="), "invalid_request");
    EXPECT_EQ(refusal("grant_type"), "invalid_request");
}

TEST(TokenExchange, WhatIsMissingOrTwiceOrOfAnotherKindIsRefused) {
    const std::string type = "&subject_token_type=" + jwt;
    EXPECT_EQ(refusal(grant + type), "invalid_request");
    EXPECT_EQ(refusal(grant + "&subject_token=" + type), "invalid_request");
    EXPECT_EQ(refusal(grant + "&subject_token=a"), "invalid_request");
    EXPECT_EQ(refusal(grant + "&subject_token=a&subject_token_type=urn:ietf:params:oauth:"
                              "token-type:saml2"),
              "invalid_request");
    EXPECT_EQ(refusal(good + "&requested_token_type=urn:ietf:params:oauth:token-type:"
                             "refresh_token"),
              "invalid_request");
    EXPECT_EQ(refusal(good + "&subject_token=b"), "invalid_request");
    EXPECT_EQ(refusal(good + "&audience=a&audience=b"), "invalid_request");
    EXPECT_EQ(refusal(good + "&unknown=1&unknown=1"), "invalid_request");
    EXPECT_EQ(refusal(good + "&unknown=1&&"), "none");
    EXPECT_EQ(refusal(good + "&actor_token=a"), "invalid_request");
    EXPECT_EQ(refusal(good + "&scope=openid"), "invalid_scope");
    EXPECT_EQ(refusal(good + "&scope="), "none");
    EXPECT_EQ(refusal(good + "&resource=https://example.com"), "invalid_target");
}

TEST(TokenExchange, AnAudienceIsOneOfThoseThatAreServed) {
    EXPECT_EQ(audience(good + "&audience=orders"), "orders");
    EXPECT_EQ(audience(good + "&audience=two+words"), "invalid_target");
    EXPECT_EQ(audience(good + "&audience=" + std::string(255, 'a')), std::string(255, 'a'));
    EXPECT_EQ(audience(good + "&audience=" + std::string(256, 'a')), "invalid_target");
    EXPECT_EQ(audience(good, {"api", "authenticated"}), "api");
    EXPECT_EQ(audience(good + "&audience=authenticated", {"api", "authenticated"}),
              "authenticated");
    EXPECT_EQ(audience(good + "&audience=orders", {"api", "authenticated"}), "invalid_target");
}

TEST(TokenExchange, ItsSizeIsBounded) {
    EXPECT_EQ(refusal(good + "&x=" + std::string(exchange_body_max, 'a')), "invalid_request");
    std::string many = good;
    for (int i = 0; i < 29; ++i) many += "&x" + std::to_string(i) + "=1";
    EXPECT_EQ(refusal(many), "none");
    EXPECT_EQ(refusal(many + "&y=1"), "invalid_request");
}

}  // namespace
}  // namespace rollcall::gate
