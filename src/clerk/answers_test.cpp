#include "clerk/answers.hpp"

#include <gtest/gtest.h>

namespace rollcall::clerk {
namespace {

ApiResult<http::Response> answer(unsigned status, std::string body) {
    return success_of(http::Response::json(status, std::move(body)));
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

Result<std::vector<User>> page(std::string body, bool with_cursor = false, unsigned status = 200) {
    JsonDocument document;
    return read_page_answer(answer(status, std::move(body)), document, with_cursor);
}

TEST(ReadPageAnswer, UsersInTheirOrder) {
    const auto users = page(R"([{"id":"user_b","updated_at":5},{"id":"user_a"}] )");
    ASSERT_TRUE(users);
    ASSERT_EQ(users->size(), 2U);
    EXPECT_EQ((*users)[0].id, "user_b");
    EXPECT_EQ((*users)[0].updated_at_ms, 5);
    EXPECT_EQ((*users)[1].id, "user_a");
}

TEST(ReadPageAnswer, AnEmptyListIsAPage) {
    const auto users = page("[]");
    ASSERT_TRUE(users);
    EXPECT_TRUE(users->empty());
}

// A page that is not whole must never look like one with fewer users.
TEST(ReadPageAnswer, WhatIsNotWhollyAListOfUsersIsNoPage) {
    for (const char* body :
         {"", "null", "{}", "<html>Sign in</html>", R"({"data":[],"total_count":0})",
          R"([{"id":"user_a"})", R"([{"id":"user_a"},)", R"([{"id":"user_a"}]])",
          R"([{"id":"user_a"}] x)", R"([{"id":"user_a"}][])", R"([{"id":"user_a"},null])",
          R"([{"id":"user_a"},{}])", R"([{"id":"user_a"},{"id":7}])", R"([[{"id":"user_a"}]])"}) {
        const auto users = page(body);
        ASSERT_FALSE(users) << body;
        EXPECT_EQ(users.error().code, ErrorCode::unavailable) << body;
    }
}

TEST(ReadPageAnswer, ACursorThatClerkRefusesIsAConflict) {
    const std::string body = R"({"errors":[{"code":"form_param_format_invalid"}]})";
    EXPECT_EQ(page(body, /*with_cursor=*/true, 422).error().code, ErrorCode::conflict);
    EXPECT_EQ(page(body, /*with_cursor=*/false, 422).error().code, ErrorCode::internal);
    EXPECT_EQ(page("", /*with_cursor=*/true, 502).error().code, ErrorCode::unavailable);
}

TEST(ReadPageAnswer, BuffersServeOnePageAfterTheOther) {
    JsonDocument document(64UL * 1024);
    for (const std::size_t count : {3U, 5000U, 0U, 100U}) {
        std::string body = "[";
        for (std::size_t i = 0; i < count; ++i) {
            body += (i > 0 ? "," : "") + (R"({"id":"user_)" + std::to_string(i) + "\"}");
        }
        const auto users = read_page_answer(answer(200, body + "]"), document, false);
        ASSERT_TRUE(users);
        EXPECT_EQ(users->size(), count);
    }
}

TEST(ReadCountAnswer, TakesTheCountOnly) {
    EXPECT_EQ(read_count_answer(answer(200, R"({"object":"total_count","total_count":42})")), 42);
    for (const char* body : {"", "[]", "42", "{}", R"({"total_count":-1})",
                             R"({"total_count":"42"})", R"({"total_count":4.5})"}) {
        EXPECT_FALSE(read_count_answer(answer(200, body))) << body;
    }
    EXPECT_EQ(read_count_answer(answer(500, "")).error().code, ErrorCode::unavailable);
}

TEST(ReadInstanceAnswer, NamesTheInstance) {
    const auto instance = read_instance_answer(
        answer(200, R"({"object":"instance","id":"ins_a","environment_type":"production"})"));
    ASSERT_TRUE(instance);
    EXPECT_EQ(instance->id, "ins_a");
    EXPECT_EQ(instance->environment_type, "production");
    for (const char* body : {"", "[]", "{}", R"({"id":""})", R"({"id":7})"}) {
        EXPECT_FALSE(read_instance_answer(answer(200, body))) << body;
    }
}

}  // namespace
}  // namespace rollcall::clerk
