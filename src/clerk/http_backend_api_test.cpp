// Over a loopback socket: what is really asked of Clerk, and what comes of its answers.
#include "clerk/http_backend_api.hpp"

#include "base/log.hpp"
#include "clerk/api_test.hpp"

#include <gmock/gmock.h>

namespace rollcall::clerk {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* key_invalid =
    R"({"errors":[{"code":"clerk_key_invalid"}],"clerk_trace_id":"cafe"})";

class HttpBackendApiTest : public ApiTest {
protected:
    Result<std::optional<User>> get(std::string_view id) { return wait(api().get_user(id)); }
};

TEST_F(HttpBackendApiTest, AsksAsClerkWantsToBeAsked) {
    config.url += "/";
    says(200, R"({"object":"user","id":"user_a"})");
    const auto user = get("user_a");
    ASSERT_TRUE(user);
    ASSERT_TRUE(*user);
    EXPECT_EQ((*user)->id, "user_a");
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].target, "/v1/users/user_a");
    EXPECT_EQ(asked[0].headers.get("Authorization"), "Bearer sk_test_of_the_tests");
    EXPECT_EQ(asked[0].headers.get("Clerk-API-Version"), "2026-05-12");
}

TEST_F(HttpBackendApiTest, AnIdStaysOneSegmentWhateverItHolds) {
    says(200, R"({"id":"a/../b?c=%2e#ü"})");
    EXPECT_TRUE(get("a/../b?c=%2e#ü"));
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].target, "/v1/users/a%2F..%2Fb%3Fc%3D%252e%23%C3%BC");
}

TEST_F(HttpBackendApiTest, WhatCannotBeAnIdIsNotAsked) {
    for (const std::string& id :
         {std::string(), std::string("."), std::string(".."), std::string("a\nb"),
          std::string("a\0", 2), std::string(256, 'a')}) {
        const auto user = get(id);
        ASSERT_FALSE(user);
        EXPECT_EQ(user.error().code, ErrorCode::invalid_input);
    }
    EXPECT_TRUE(asked.empty());
    EXPECT_EQ(api().requests(), 0);
}

TEST_F(HttpBackendApiTest, AWrongKeyIsSaidOnceAndNotRepeated) {
    says(401, key_invalid);
    for (const auto& code :
         {get("user_a").error().code, wait(api().list_users({})).error().code,
          wait(api().count_users({})).error().code, wait(api().instance()).error().code}) {
        EXPECT_EQ(code, ErrorCode::unauthenticated);
    }
    EXPECT_EQ(asked.size(), 4U);
    const auto user = get("user_a");
    EXPECT_THAT(user.error().message, HasSubstr("clerk_key_invalid, trace cafe"));
    EXPECT_EQ(user.error().message.find("sk_test"), std::string::npos);
}

TEST_F(HttpBackendApiTest, ListsAPage) {
    says(200, R"([{"id":"user_b"},{"id":"user_c"}])");
    UserQuery query;
    query.starting_after = "user_a";
    const auto page = wait(api().list_users(query));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->size(), 2U);
    EXPECT_EQ(page->back().id, "user_c");
    EXPECT_EQ(asked[0].target, "/v1/users?order_by=created_at&limit=500&starting_after=user_a");
}

TEST_F(HttpBackendApiTest, CountsAndNamesTheInstance) {
    says(200, R"({"object":"total_count","total_count":7})");
    EXPECT_EQ(wait(api().count_users({.created_after_ms = 5})), 7);
    EXPECT_EQ(asked[0].target, "/v1/users/count?created_at_after=5");
    EXPECT_EQ(wait(api().count_users({})), 7);
    EXPECT_EQ(asked[1].target, "/v1/users/count");
    says(200, R"({"object":"instance","id":"ins_a","environment_type":"development"})");
    const auto instance = wait(api().instance());
    ASSERT_TRUE(instance);
    EXPECT_EQ(instance->id, "ins_a");
    EXPECT_EQ(asked[2].target, "/v1/instance");
}

TEST_F(HttpBackendApiTest, APageThatIsNotWholeIsNotUsedAndNotRepeated) {
    for (const char* body : {R"([{"id":"user_b"},{"id":"us)", "<html>Sign in</html>", "", "{}"}) {
        says(200, body);
        const auto page = wait(api().list_users({}));
        ASSERT_FALSE(page) << body;
        EXPECT_EQ(page.error().code, ErrorCode::unavailable);
    }
    EXPECT_EQ(asked.size(), 4U);
    says(200, "[]");
    const auto page = wait(api().list_users({}));
    ASSERT_TRUE(page);
    EXPECT_TRUE(page->empty());
}

TEST_F(HttpBackendApiTest, TakesAPageOfManyMegabytes) {
    std::string body = "[";
    for (int i = 0; i < 500; ++i) {
        body += (i > 0 ? "," : "") + (R"({"id":"user_)" + std::to_string(i)) +
                R"(","private_metadata":{"x":")" + std::string(40'000, 'x') + "\"}}";
    }
    says(200, body + "]");
    const auto page = wait(api().list_users({}));
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_EQ(page->size(), 500U);
}

TEST_F(HttpBackendApiTest, ACallersRequestsAreSpansOfItsTrace) {
    const auto trace =
        parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").value();
    HttpBackendApi traced(channel(), prompt, trace);
    says(200, R"({"object":"user","id":"user_a"})");
    EXPECT_TRUE(wait(traced.get_user("user_a")));
    EXPECT_TRUE(wait(traced.get_user("user_a")));
    EXPECT_TRUE(get("user_a"));
    ASSERT_EQ(asked.size(), 3U);
    const auto first = parse_traceparent(asked[0].headers.get("traceparent").value_or(""));
    const auto second = parse_traceparent(asked[1].headers.get("traceparent").value_or(""));
    ASSERT_TRUE(first);
    ASSERT_TRUE(second);
    EXPECT_EQ(first->trace, trace.trace);
    EXPECT_TRUE(first->sampled);
    EXPECT_NE(first->span, trace.span);
    EXPECT_NE(first->span, second->span);
    EXPECT_FALSE(asked[2].headers.get("traceparent"));
}

TEST_F(HttpBackendApiTest, EachCallerHasItsOwnCountOfRequests) {
    HttpBackendApi other(channel(), for_a_pass);
    says(200, "[]");
    EXPECT_TRUE(wait(other.list_users({})));
    EXPECT_TRUE(wait(other.list_users({})));
    says(404, R"({"errors":[{"code":"resource_not_found"}]})");
    EXPECT_TRUE(get("user_a"));
    EXPECT_EQ(other.requests(), 2);
    EXPECT_EQ(api().requests(), 1);
}

}  // namespace
}  // namespace rollcall::clerk
