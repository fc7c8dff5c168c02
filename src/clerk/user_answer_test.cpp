#include "clerk/user_answer.hpp"

#include <gtest/gtest.h>

namespace rollcall::clerk {
namespace {

http::Response answer(unsigned status, std::string body) {
    return http::Response::json(status, std::move(body));
}

constexpr std::string_view not_found =
    R"({"errors":[{"message":"not found","long_message":"No user was found with id user_a",)"
    R"("code":"resource_not_found"}],"clerk_trace_id":"0123456789abcdef0123456789abcdef"})";

TEST(ReadUserAnswer, TheUserAskedFor) {
    const auto user = read_user_answer(answer(200, R"({"object":"user","id":"user_a"})"), "user_a");
    ASSERT_TRUE(user);
    ASSERT_TRUE(*user);
    EXPECT_EQ((*user)->id, "user_a");
}

// A list, a page of a captive portal, somebody else: none of them may become a row.
TEST(ReadUserAnswer, AnythingElseWith200IsUnavailable) {
    for (const char* body :
         {"", "[]", "{}", "<html>Sign in</html>", R"({"object":"user","id":"user_b"})",
          R"([{"object":"user","id":"user_a"}])", R"({"object":"user","id":"user_a")"}) {
        const auto user = read_user_answer(answer(200, body), "user_a");
        ASSERT_FALSE(user) << body;
        EXPECT_EQ(user.error().code, ErrorCode::unavailable);
    }
}

TEST(ReadUserAnswer, ClerksNotFoundIsNoUser) {
    const auto user = read_user_answer(answer(404, std::string(not_found)), "user_a");
    ASSERT_TRUE(user);
    EXPECT_FALSE(*user);
}

// A wrong path behind a proxy must not look like a deleted user.
TEST(ReadUserAnswer, AnotherNotFoundIsUnavailable) {
    for (const char* body : {"", "Not found", R"({"error":"Not found"})", R"({"errors":[]})",
                             R"({"errors":[{"code":"page_not_found"}]})",
                             R"({"errors":{"code":"resource_not_found"}})"}) {
        const auto user = read_user_answer(answer(404, body), "user_a");
        ASSERT_FALSE(user) << body;
        EXPECT_EQ(user.error().code, ErrorCode::unavailable);
    }
}

TEST(ReadUserAnswer, AWrongKeyNamesClerksCodeAndTrace) {
    const auto user =
        read_user_answer(answer(401, R"({"errors":[{"message":"x","code":"clerk_key_invalid"}],)"
                                     R"("clerk_trace_id":"89abcdef89abcdef89abcdef89abcdef"})"),
                         "user_a");
    ASSERT_FALSE(user);
    EXPECT_EQ(user.error().code, ErrorCode::unauthenticated);
    EXPECT_NE(user.error().message.find("clerk_key_invalid"), std::string::npos);
    EXPECT_NE(user.error().message.find("89abcdef89abcdef"), std::string::npos);
}

TEST(ReadUserAnswer, LimitsAndFaultsAreUnavailable) {
    for (const unsigned status : {202U, 301U, 400U, 403U, 408U, 422U, 429U, 500U, 502U, 503U}) {
        http::Response response = answer(status, R"({"errors":[{"code":"too_many_requests"}]})");
        response.headers.add("Retry-After", "7");
        const auto user = read_user_answer(response, "user_a");
        ASSERT_FALSE(user) << status;
        EXPECT_EQ(user.error().code, ErrorCode::unavailable) << status;
        EXPECT_NE(user.error().message.find(std::to_string(status)), std::string::npos);
        EXPECT_NE(user.error().message.find("retry after 7 s"), std::string::npos);
    }
}

// Clerk's texts may quote what was asked or who somebody is: only its codes are repeated.
TEST(ReadUserAnswer, MessagesRepeatOnlyPlainWords) {
    const auto user = read_user_answer(
        answer(401, R"({"errors":[{"message":"jo@mail.example","code":"no jo@mail.example here",)"
                    R"("long_message":"sk_live_abc"}],"clerk_trace_id":"jo@mail.example"})"),
        "user_a");
    ASSERT_FALSE(user);
    EXPECT_EQ(user.error().message.find("mail.example"), std::string::npos);
    EXPECT_EQ(user.error().message.find("sk_live"), std::string::npos);
}

}  // namespace
}  // namespace rollcall::clerk
