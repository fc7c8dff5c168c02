#include "sim/auth_keys.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

namespace rollcall::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t later = 1'800'000'000;
constexpr std::string_view secret = "sb_secret_rollcall_simulator";
const SystemTime now{milliseconds(1'700'000'000'000)};

http::Request with(std::string_view apikey, std::string_view authorization,
                   std::string_view agent = "rollcall/0.1.0") {
    http::Request request;
    if (!apikey.empty()) request.headers.set("apikey", apikey);
    if (!authorization.empty()) request.headers.set("Authorization", authorization);
    request.headers.set("User-Agent", agent);
    return request;
}

// "200", or the status and the code (a gateway has none: its message).
std::string outcome(const AuthKeys& keys, const http::Request& request) {
    const auto refused = keys.refuse(request, now);
    if (!refused) return "200";
    const auto body = boost::json::parse(refused->body).as_object();
    const auto* what = body.if_contains("error_code");
    if (what == nullptr) what = body.if_contains("message");
    return std::to_string(refused->status) + " " + std::string(what->as_string());
}

TEST(AuthKeys, AHostedProjectChecksTheKeyAndThenTheToken) {
    const auto jwt = made_up_jwt("service_role", later);
    const auto anon = made_up_jwt("anon", later);
    const auto old = made_up_jwt("service_role", 1'699'999'999);
    const AuthKeys keys({jwt, std::string(secret), anon, old}, false);
    EXPECT_EQ(outcome(keys, with(jwt, "Bearer " + jwt)), "200");
    EXPECT_EQ(outcome(keys, with("", "Bearer " + jwt)), "401 No API key found in request");
    EXPECT_EQ(outcome(keys, with("x", "Bearer " + jwt)), "401 Invalid API key");
    EXPECT_EQ(outcome(keys, with(jwt, "")), "401 no_authorization");
    EXPECT_EQ(outcome(keys, with(jwt, jwt)), "401 no_authorization");
    EXPECT_EQ(outcome(keys, with(jwt, "Bearer no-jwt")), "403 bad_jwt");
    EXPECT_EQ(outcome(keys, with(jwt, "Bearer " + made_up_jwt("service_role", later + 1))),
              "403 bad_jwt");
    EXPECT_EQ(outcome(keys, with(old, "Bearer " + old)), "403 bad_jwt");
    EXPECT_EQ(outcome(keys, with(anon, "Bearer " + anon)), "403 not_admin");
}

TEST(AuthKeys, ASecretKeyNeedsNoTokenAndNoBrowser) {
    const AuthKeys keys({std::string(secret)}, false);
    const auto bearer = "Bearer " + std::string(secret);
    EXPECT_EQ(outcome(keys, with(secret, "")), "200");
    EXPECT_EQ(outcome(keys, with(secret, bearer)), "200");
    EXPECT_EQ(outcome(keys, with(secret, bearer + "x")), "403 bad_jwt");
    EXPECT_EQ(outcome(keys, with(secret, "", "Mozilla/5.0 (X11; Linux x86_64)")),
              "401 Forbidden use of secret API key in browser");
}

TEST(AuthKeys, ABareServerKnowsTokensAlone) {
    const auto jwt = made_up_jwt("supabase_admin", later);
    const AuthKeys keys({jwt, std::string(secret)}, true);
    EXPECT_EQ(outcome(keys, with("", "Bearer " + jwt)), "200");
    EXPECT_EQ(outcome(keys, with("", "")), "401 no_authorization");
    EXPECT_EQ(outcome(keys, with(secret, "Bearer " + std::string(secret))), "403 bad_jwt");
}

TEST(AuthKeys, OnlyMadeUpOnesAreTaken) {
    for (const auto& key : made_up_auth_keys()) EXPECT_TRUE(check_auth_key(key)) << key;
    EXPECT_EQ(made_up_auth_keys(), made_up_auth_keys());
    // {"alg":"HS256"} . {"role":"service_role","ref":"abcdefghijklmnopqrst"}
    constexpr std::string_view real =
        "eyJhbGciOiJIUzI1NiJ9."
        "eyJyb2xlIjoic2VydmljZV9yb2xlIiwicmVmIjoiYWJjZGVmZ2hpamtsbW5vcHFyc3QifQ.c2ln";
    // {"alg":"HS256"} . {"sub":"x"}
    constexpr std::string_view no_role = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln";
    for (const std::string_view key : {real, no_role, std::string_view("sb_secret_4711"),
                                       std::string_view("sb_publishable_4711"),
                                       std::string_view("4711"), std::string_view("a.b.c")}) {
        const auto done = check_auth_key(key);
        ASSERT_FALSE(done) << key;
        EXPECT_EQ(done.error().code, ErrorCode::bad_configuration);
        EXPECT_EQ(done.error().message.find(key), std::string::npos) << "no key in a message";
    }
    EXPECT_FALSE(check_auth_key("sb_secret_rollcall_")) << "the prefix alone";
    EXPECT_NE(check_auth_key(real).error().message.find("real"), std::string::npos);
}

}  // namespace
}  // namespace rollcall::sim
