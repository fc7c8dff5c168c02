#include "clerk/user_query.hpp"

#include <gtest/gtest.h>

namespace rollcall::clerk {
namespace {

TEST(UserQuery, AsksForAWholePageByCreation) {
    EXPECT_EQ(query_string(UserQuery{}), "order_by=created_at&limit=500");
}

TEST(UserQuery, SaysEverythingThatIsAskedFor) {
    UserQuery query;
    query.filter.created_after_ms = 5;
    query.filter.created_before_ms = 1'700'000'000'000;
    query.order = UserOrder::created_newest;
    query.limit = 7;
    query.starting_after = "user_a";
    EXPECT_EQ(query_string(query),
              "created_at_after=5&created_at_before=1700000000000&order_by=-created_at&limit=7"
              "&starting_after=user_a");
    EXPECT_EQ(query_string(UserQuery{.order = UserOrder::updated_newest, .offset = 500}),
              "order_by=-updated_at&limit=500&offset=500");
    EXPECT_EQ(query_string(UserQuery{.order = UserOrder::updated}),
              "order_by=updated_at&limit=500");
}

TEST(UserFilter, NamesEachId) {
    EXPECT_EQ(query_string(UserFilter{}), "");
    EXPECT_EQ(query_string(UserFilter{.ids = {"user_a", "b&c=d"}}),
              "user_id=user_a&user_id=b%26c%3Dd");
    EXPECT_EQ(query_string(UserFilter{.ids = {"-user_a", "+b"}}),
              "user_id=%2B-user_a&user_id=%2B%2Bb")
        << "a minus would mean all but this one";
}

TEST(UserQueryDeathTest, WhatClerkWouldRefuseIsABug) {
    EXPECT_DEATH((void)query_string(UserQuery{.limit = 501}), "limit");
    EXPECT_DEATH((void)query_string(UserQuery{.limit = 0}), "limit");
    EXPECT_DEATH((void)query_string(UserQuery{.starting_after = "a", .offset = 1}), "cursor");
    EXPECT_DEATH((void)query_string(UserQuery{.order = UserOrder::updated, .starting_after = "a"}),
                 "cursor");
    EXPECT_DEATH((void)query_string(UserFilter{.ids = std::vector<std::string>(101, "a")}),
                 "too many");
}

}  // namespace
}  // namespace rollcall::clerk
