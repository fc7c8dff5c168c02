#include "sim/clerk_query.hpp"

#include <gtest/gtest.h>

namespace rollcall::sim {
namespace {

std::string refusal(std::string_view query) {
    const auto parsed = parse_user_query(QueryPairs(query));
    if (parsed) return "";
    EXPECT_EQ(parsed.error().status, 422U);
    EXPECT_EQ(parsed.error().items.front().code, "form_param_format_invalid");
    return parsed.error().items.front().param_name;
}

UserQuery parsed(std::string_view query) {
    const auto result = parse_user_query(QueryPairs(query));
    EXPECT_TRUE(result.has_value());
    return result.value_or(UserQuery());
}

TEST(QueryPairs, DecodesAndKeepsRepeatedKeys) {
    const QueryPairs pairs("a=1&b=x%20y+z&a=2&c&d%5B%5D=%e2%82%ac&&e=%zz");
    EXPECT_EQ(pairs.all("a"), (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(pairs.get("b"), "x y z");
    EXPECT_TRUE(pairs.has("c"));
    EXPECT_EQ(pairs.get("c"), "");
    EXPECT_EQ(pairs.get("d"), "€");
    EXPECT_EQ(pairs.get("e"), "%zz");
    EXPECT_FALSE(pairs.has("f"));
}

TEST(UserQuery, HasClerksDefaults) {
    const auto query = parsed("");
    EXPECT_EQ(query.limit, 10U);
    EXPECT_EQ(query.offset, 0U);
    EXPECT_EQ(query.order, UserOrder::created_at);
    EXPECT_TRUE(query.descending);
}

TEST(UserQuery, TakesOrderWithAndWithoutSignAndTheFirstOnly) {
    EXPECT_TRUE(parsed("order_by=-updated_at").descending);
    EXPECT_FALSE(parsed("order_by=updated_at").descending);
    EXPECT_FALSE(parsed("order_by=%2Bupdated_at").descending);
    EXPECT_FALSE(parsed("order_by=+updated_at").descending) << "a plus that was not escaped";
    EXPECT_EQ(parsed("order_by=username&order_by=created_at").order, UserOrder::username);
    EXPECT_EQ(refusal("order_by=shoe_size"), "order_by");
}

TEST(UserQuery, TreatsALimitAboveTheMaximumAsNone) {
    EXPECT_EQ(parsed("limit=500").limit, 500U);
    EXPECT_EQ(parsed("limit=501").limit, 10U);
    EXPECT_EQ(refusal("limit=0"), "limit");
    EXPECT_EQ(refusal("limit=many"), "limit");
    EXPECT_EQ(refusal("offset=-1"), "offset");
}

TEST(UserQuery, AllowsStartingAfterOnlyWithCreatedAtAndWithoutOffset) {
    EXPECT_EQ(parsed("starting_after=user_1").starting_after, "user_1");
    EXPECT_EQ(refusal("starting_after=user_1&order_by=created_at"), "");
    EXPECT_EQ(refusal("starting_after=user_1&offset=0"), "");
    EXPECT_EQ(refusal("starting_after=user_1&order_by=-updated_at"), "starting_after");
    EXPECT_EQ(refusal("starting_after=user_1&offset=5"), "starting_after");
}

TEST(UserQuery, SplitsSignedFilters) {
    const auto query = parsed("user_id=a&user_id=-b&user_id=%2Bc&external_id=-x");
    EXPECT_EQ(query.filter.user_id.included, (std::vector<std::string>{"a", "c"}));
    EXPECT_EQ(query.filter.user_id.excluded, (std::vector<std::string>{"b"}));
    EXPECT_EQ(query.filter.external_id.excluded, (std::vector<std::string>{"x"}));
}

TEST(UserQuery, RefusesWhatIsOutOfBoundsAndIgnoresWhatItDoesNotKnow) {
    std::string many;
    for (int i = 0; i < 101; ++i) many += "user_id=u" + std::to_string(i) + "&";
    EXPECT_EQ(refusal(many), "user_id");
    EXPECT_EQ(refusal("banned=maybe"), "banned");
    EXPECT_EQ(refusal("created_at_after=yesterday"), "created_at_after");
    EXPECT_EQ(refusal("provider=oauth_google"), "provider");
    EXPECT_EQ(refusal("paginated=true&colour=blue"), "");
}

}  // namespace
}  // namespace rollcall::sim
