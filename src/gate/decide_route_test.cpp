#include "gate/decide_route.hpp"

#include "gate/identity_headers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::gate {
namespace {

using testing::HasSubstr;
using testing::Not;

Verdict allowed() {
    Verdict verdict;
    verdict.answer = Answer::allow;
    verdict.reason = reason_ok;
    verdict.access = Access::admin;
    verdict.rule = "orders";
    verdict.path = "/orders/1";
    verdict.identity = {.user_id = "u-1",
                        .subject = "user_a",
                        .session = "sess_a",
                        .organization = "org_a",
                        .role = "admin"};
    return verdict;
}

Verdict denied(Answer answer, std::string_view reason, bool token_shown) {
    Verdict verdict;
    verdict.answer = answer;
    verdict.reason = reason;
    verdict.detail = "a sentence";
    verdict.token_shown = token_shown;
    return verdict;
}

std::string field(const http::Response& response, std::string_view name) {
    EXPECT_EQ(response.headers.count(name), 1U) << name;
    return std::string(response.headers.get(name).value_or("(none)"));
}

TEST(DecideRoute, AnAllowedRequestSaysWhoInEachFieldOnce) {
    const auto response = to_response(allowed(), "r1", {});
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(field(response, "Cache-Control"), "no-store");
    EXPECT_EQ(field(response, "X-Rollcall-User-Id"), "u-1");
    EXPECT_EQ(field(response, "X-Rollcall-Subject"), "user_a");
    EXPECT_EQ(field(response, "X-Rollcall-Session"), "sess_a");
    EXPECT_EQ(field(response, "X-Rollcall-Org"), "org_a");
    EXPECT_EQ(field(response, "X-Rollcall-Role"), "admin");
    EXPECT_EQ(field(response, "X-Rollcall-Access"), "admin");
    EXPECT_EQ(field(response, "X-Rollcall-Rule"), "orders");
    EXPECT_EQ(field(response, "X-Rollcall-Path"), "/orders/1");
}

TEST(DecideRoute, APublicRouteSaysNothingInEachField) {
    Verdict verdict = allowed();
    verdict.access = Access::public_;
    verdict.identity = {};
    const auto response = to_response(verdict, "r1", {});
    EXPECT_EQ(response.status, 200U);
    for (const std::string_view name : identity_headers) EXPECT_EQ(field(response, name), "");
    EXPECT_EQ(field(response, "X-Rollcall-Path"), "/orders/1");
}

TEST(DecideRoute, WithoutATokenTheChallengeNamesNoError) {
    const auto response =
        to_response(denied(Answer::unauthenticated, "missing_token", false), "r1", {});
    EXPECT_EQ(response.status, 401U);
    EXPECT_EQ(field(response, "WWW-Authenticate"), R"(Bearer realm="rollcall")");
    EXPECT_EQ(field(response, "Content-Type"), "application/problem+json");
    EXPECT_EQ(response.body,
              R"({"type":"about:blank","title":"Unauthorized","status":401,"instance":"r1",)"
              R"("request_id":"r1","code":"missing_token","detail":"a sentence"})");
    EXPECT_EQ(response.headers.count("X-Rollcall-Subject"), 0U);
}

TEST(DecideRoute, ABadTokenIsNamedInTheChallenge) {
    const auto response = to_response(denied(Answer::unauthenticated, "expired", true), "r1", {});
    EXPECT_EQ(field(response, "WWW-Authenticate"),
              R"(Bearer realm="rollcall", error="invalid_token", error_description="expired")");
}

TEST(DecideRoute, AForbiddenRequestHasNoChallenge) {
    const auto response = to_response(denied(Answer::forbidden, "not_admin", true), "r1", {});
    EXPECT_EQ(response.status, 403U);
    EXPECT_EQ(response.headers.count("WWW-Authenticate"), 0U);
    EXPECT_THAT(response.body, HasSubstr(R"("status":403)"));
    EXPECT_THAT(response.body, HasSubstr(R"("code":"not_admin")"));
    EXPECT_EQ(field(response, "Cache-Control"), "no-store");
}

TEST(DecideRoute, ReasonsCanBeKeptBack) {
    const auto response =
        to_response(denied(Answer::unauthenticated, "expired", true), "r1", {.verbose = false});
    EXPECT_EQ(field(response, "WWW-Authenticate"),
              R"(Bearer realm="rollcall", error="invalid_token")");
    EXPECT_THAT(response.body, Not(HasSubstr("expired")));
    EXPECT_THAT(response.body, Not(HasSubstr("sentence")));
}

TEST(DecideRoute, AVerdictThatNobodyFilledIsADenial) {
    const auto response = to_response(Verdict(), "r1", {});
    EXPECT_EQ(response.status, 403U);
    EXPECT_THAT(response.body, HasSubstr("policy_error"));
}

}  // namespace
}  // namespace rollcall::gate
