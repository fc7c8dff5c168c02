#include "supabase/auth_error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace rollcall::supabase {
namespace {

using testing::HasSubstr;
using testing::Not;
using enum AuthFault;

AuthError of(unsigned status, std::string body, std::string_view header = "") {
    http::Response response;
    response.status = status;
    response.body = std::move(body);
    if (!header.empty()) response.headers.add("x-sb-error-code", header);
    return read_auth_error(response);
}

// The two forms of Auth's errors, by the version of the API that was asked for.
std::string first_form(unsigned status, const std::string& code) {
    return R"({"code":)" + std::to_string(status) + R"(,"error_code":")" + code +
           R"(","msg":"canary@example.com","error_id":"abc"})";
}
std::string later_form(const std::string& code) {
    return R"({"code":")" + code + R"(","message":"canary@example.com"})";
}

TEST(AuthError, ACodeMeansTheSameInBothForms) {
    struct Case {
        unsigned status;
        std::string code;
        AuthFault fault;
    };
    const std::vector<Case> cases{{400, "validation_failed", invalid},
                                  {400, "bad_json", invalid},
                                  {401, "no_authorization", key_refused},
                                  {403, "bad_jwt", key_refused},
                                  {403, "not_admin", key_refused},
                                  {404, "user_not_found", not_found},
                                  {404, "validation_failed", invalid},
                                  {408, "validation_failed", away},
                                  {408, "request_timeout", away},
                                  {409, "conflict", opaque},
                                  {409, "identity_already_exists", invalid},
                                  {422, "email_exists", email_taken},
                                  {422, "phone_exists", phone_taken},
                                  {422, "weak_password", invalid},
                                  {422, "hook_timeout", away},
                                  {422, "hook_timeout_after_retry", away},
                                  {425, "too_early", away},
                                  {429, "over_request_rate_limit", rate_limited},
                                  {500, "unexpected_failure", opaque},
                                  {500, "23503", constrained},
                                  {500, "23514", constrained},
                                  {500, "23", away},
                                  {500, "40P01", away},
                                  {503, "23503", away},
                                  {500, "something_else", away},
                                  {504, "request_timeout", away}};
    for (const Case& one : cases) {
        for (const std::string& body :
             {first_form(one.status, one.code), later_form(one.code), std::string()}) {
            const AuthError error = of(one.status, body, body.empty() ? one.code : "");
            EXPECT_EQ(error.fault, one.fault) << one.status << " " << body;
            EXPECT_EQ(error.code, one.code);
            EXPECT_THAT(error.message, HasSubstr(one.code));
            EXPECT_THAT(error.message, Not(HasSubstr("canary")));
        }
    }
}

TEST(AuthError, AUniqueViolationIsAnAnswerOfAServiceThatWorks) {
    const std::string body =
        R"({"code":"23505","message":"duplicate key value violates \"users_email_key\"",)"
        R"("detail":"Key (email)=(canary@example.com) already exists.","hint":""})";
    const AuthError error = of(500, body);
    EXPECT_EQ(error.fault, taken);
    EXPECT_THAT(error.message, Not(HasSubstr("canary")));
    EXPECT_TRUE(is_healthy(http::Response::json(500, body)));
    EXPECT_FALSE(is_healthy(http::Response::json(500, first_form(500, "unexpected_failure"))));
    EXPECT_FALSE(is_healthy(http::Response::text(502, "Bad Gateway")));
    EXPECT_TRUE(is_healthy(http::Response::json(404, "{}")));
}

TEST(AuthError, SoIsWhatTheDatabaseForbids) {
    EXPECT_TRUE(is_healthy(http::Response::json(500, later_form("23503"))));
    EXPECT_FALSE(of(500, later_form("23503")).passes());
    EXPECT_FALSE(of(500, later_form("23503")).outcome_unknown()) << "it was undone";
}

TEST(AuthError, OnlyAuthsOwnWordSaysThatAUserIsNotThere) {
    for (const char* body : {"<html>Not Found</html>", "404 page not found", "", "{}", "[]",
                             R"({"message":"no Route matched with those values"})"}) {
        EXPECT_EQ(of(404, body).fault, away) << body;
        EXPECT_EQ(of(404, body).code, "");
    }
}

TEST(AuthError, WhatAProxySaysIsNoWordOfAuths) {
    for (const unsigned status : {400U, 403U, 405U, 413U, 422U, 500U, 502U, 503U, 302U}) {
        EXPECT_EQ(of(status, "<html>canary</html>").fault, away) << status;
    }
    EXPECT_EQ(of(429, "<html>slow down</html>").fault, rate_limited);
    // The gateway of a hosted project refuses keys itself.
    EXPECT_EQ(of(401, R"({"message":"Invalid API key"})").fault, key_refused);
    EXPECT_THAT(of(401, "").message, HasSubstr("SUPABASE_SERVICE_ROLE_KEY"));
}

TEST(AuthError, ACodeThatIsNoWordIsNotRepeated) {
    EXPECT_EQ(of(422, R"({"error_code":"canary@example.com"})").code, "unknown");
    EXPECT_EQ(of(422, "", "canary@example.com").code, "");
}

TEST(AuthError, SaysWhatMayHaveHappenedAllTheSame) {
    EXPECT_TRUE(AuthError{}.outcome_unknown());
    EXPECT_FALSE(AuthError{.sent = false}.outcome_unknown());
    EXPECT_FALSE(of(500, first_form(500, "unexpected_failure")).outcome_unknown()) << "it is over";
    EXPECT_FALSE(of(422, later_form("email_exists")).outcome_unknown());
    EXPECT_FALSE(of(409, later_form("conflict")).outcome_unknown()) << "it was undone";
    EXPECT_TRUE(of(422, later_form("hook_timeout")).outcome_unknown());
    EXPECT_TRUE(of(429, "").passes());
    EXPECT_FALSE(of(500, later_form("23505")).passes());
}

}  // namespace
}  // namespace rollcall::supabase
