#include "sim/clerk_store.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <set>

namespace rollcall::sim {
namespace {

ClerkUser person(const std::string& name, std::int64_t created_at = 1000) {
    ClerkUser user;
    user.id = "user_" + name;
    user.first_name = name;
    user.created_at = created_at;
    user.updated_at = created_at;
    user.email_addresses.push_back({.id = "idn_" + name,
                                    .value = name + "@example.com",
                                    .standing = Standing::verified,
                                    .strategy = "email_code",
                                    .linked_to = {},
                                    .created_at = created_at,
                                    .updated_at = created_at});
    user.primary_email_address_id = "idn_" + name;
    return user;
}

std::vector<std::string> names(const std::vector<const ClerkUser*>& users) {
    std::vector<std::string> out;
    out.reserve(users.size());
    for (const auto* user : users) out.push_back(*user->first_name);
    return out;
}

using Names = std::vector<std::string>;

class ClerkStoreTest : public testing::Test {
protected:
    Names list(const UserQuery& query) { return names(store_.list(query)); }

    // Every user seen by walking cursor pages of `limit` through to the end.
    Names walk(bool descending, std::size_t limit) {
        Names all;
        UserQuery query;
        query.descending = descending;
        query.limit = limit;
        while (true) {
            const auto page = store_.list(query);
            for (const auto* user : page) all.push_back(*user->first_name);
            if (page.size() < limit) return all;
            query.starting_after = page.back()->id;
        }
    }

    ClerkStore store_;
};

TEST_F(ClerkStoreTest, ListsTheNewestFirst) {
    store_.put(person("a", 1));
    store_.put(person("b", 3));
    store_.put(person("c", 2));
    EXPECT_EQ(list({}), (Names{"b", "c", "a"}));
}

TEST_F(ClerkStoreTest, CursorPagesVisitEveryoneOnceAlsoWhereTimesAreEqual) {
    Names expected;
    for (int i = 0; i < 137; ++i) {
        const auto name = "p" + std::to_string(i);
        expected.push_back(name);
        store_.put(person(name, 1000 + i / 10));
    }
    for (const std::size_t limit : {1U, 7U, 50U, 137U, 500U}) {
        EXPECT_EQ(walk(false, limit), expected);
        auto backwards = walk(true, limit);
        std::ranges::reverse(backwards);
        EXPECT_EQ(backwards, expected);
    }
}

TEST_F(ClerkStoreTest, ACursorOnADeletedUserContinuesWhereItWas) {
    for (const auto* name : {"a", "b", "c", "d"}) store_.put(person(name));
    UserQuery query;
    query.starting_after = "user_c";
    EXPECT_EQ(store_.cursor("user_c"), Cursor::live);
    EXPECT_TRUE(store_.erase("user_c"));
    EXPECT_EQ(store_.cursor("user_c"), Cursor::deleted);
    EXPECT_EQ(list(query), (Names{"b", "a"}));
    query.descending = false;
    EXPECT_EQ(list(query), (Names{"d"}));
    EXPECT_EQ(store_.cursor("user_nobody"), Cursor::unknown);
    query.starting_after = "user_nobody";
    EXPECT_EQ(list(query), Names{});
}

TEST_F(ClerkStoreTest, OffsetSkipsWhatMatches) {
    for (int i = 0; i < 6; ++i) store_.put(person("p" + std::to_string(i), i));
    UserQuery query;
    query.limit = 2;
    query.offset = 3;
    EXPECT_EQ(list(query), (Names{"p2", "p1"}));
    query.offset = 100;
    EXPECT_EQ(list(query), Names{});
}

TEST_F(ClerkStoreTest, OrdersByUpdatedAtAfterAChange) {
    for (const auto* name : {"a", "b", "c"}) store_.put(person(name));
    auto changed = *store_.find("user_a");
    changed.updated_at = 5000;
    store_.put(changed);
    UserQuery query;
    query.order = UserOrder::updated_at;
    EXPECT_EQ(list(query), (Names{"a", "c", "b"}));
    EXPECT_EQ(store_.size(), 3U);
}

TEST_F(ClerkStoreTest, OrdersByTextWithoutRegardToCaseAndTheMissingLast) {
    auto nobody = person("z");
    nobody.username.reset();
    store_.put(nobody);
    for (const auto* name : {"beta", "Alpha", "gamma"}) {
        auto user = person(name);
        user.username = name;
        store_.put(user);
    }
    UserQuery query;
    query.order = UserOrder::username;
    query.descending = false;
    EXPECT_EQ(list(query), (Names{"Alpha", "beta", "gamma", "z"}));
    query.order = UserOrder::email_address;
    query.limit = 2;
    query.offset = 1;
    EXPECT_EQ(list(query), (Names{"beta", "gamma"}));
}

TEST_F(ClerkStoreTest, FiltersCombine) {
    for (const auto* name : {"a", "b", "c", "d"}) store_.put(person(name));
    auto banned = *store_.find("user_b");
    banned.banned = true;
    store_.put(banned);
    UserQuery query;
    query.filter.user_id.included = {"user_a", "user_b", "user_b", "user_x"};
    EXPECT_EQ(list(query), (Names{"b", "a"}));
    EXPECT_EQ(store_.count(query.filter), 2U);
    query.filter.banned = false;
    EXPECT_EQ(list(query), (Names{"a"}));
    query.filter = {};
    query.filter.user_id.excluded = {"user_a"};
    EXPECT_EQ(list(query), (Names{"d", "c", "b"}));
    query.filter = {};
    query.filter.email_address = {"A@EXAMPLE.com", "d@example.com"};
    EXPECT_EQ(list(query), (Names{"d", "a"}));
    query.filter = {};
    query.filter.query = "@EXAM";
    EXPECT_EQ(store_.count(query.filter), 4U);
    query.filter.organization_id.included = {"org_x"};
    EXPECT_EQ(store_.count(query.filter), 0U);
    query.filter = {};
    query.filter.created_at = {.after = 1000, .before = std::nullopt};
    EXPECT_EQ(store_.count(query.filter), 0U);
    query.filter.created_at = {.after = 999, .before = 1001};
    EXPECT_EQ(store_.count(query.filter), 4U);
}

TEST_F(ClerkStoreTest, AnIndexedFilterKeepsTheCursor) {
    for (const auto* name : {"a", "b", "c", "d"}) store_.put(person(name));
    UserQuery query;
    query.filter.user_id.included = {"user_a", "user_b", "user_c", "user_d"};
    query.starting_after = "user_c";
    EXPECT_EQ(list(query), (Names{"b", "a"}));
    query.descending = false;
    EXPECT_EQ(list(query), (Names{"d"}));
}

TEST_F(ClerkStoreTest, NamesWhatAnotherUserHolds) {
    auto first = person("a");
    first.username = "Ada";
    first.external_id = "X1";
    store_.put(first);
    auto second = person("b");
    EXPECT_EQ(store_.conflict(second), "");
    second.email_addresses.front().value = "A@Example.COM";
    EXPECT_EQ(store_.conflict(second), "email_address");
    second = person("b");
    second.username = "ada";
    EXPECT_EQ(store_.conflict(second), "username");
    second.username.reset();
    second.external_id = "x1";
    EXPECT_EQ(store_.conflict(second), "");
    second.external_id = "X1";
    EXPECT_EQ(store_.conflict(second), "external_id");
    EXPECT_EQ(store_.conflict(*store_.find("user_a")), "") << "nobody is in their own way";
}

TEST_F(ClerkStoreTest, AnUnverifiedAddressIsNotHeld) {
    auto unverified = person("a");
    unverified.email_addresses.front().standing = Standing::unverified;
    store_.put(unverified);
    auto other = person("b");
    other.email_addresses.front().value = "a@example.com";
    EXPECT_EQ(store_.conflict(other), "");
    store_.put(other);
    UserQuery query;
    query.filter.email_address = {"a@example.com"};
    EXPECT_EQ(list(query), (Names{"b", "a"}));
    unverified.email_addresses.front().standing = Standing::verified;
    EXPECT_EQ(store_.conflict(unverified), "email_address");
}

TEST_F(ClerkStoreTest, ADeletedUserLetsGoOfEverything) {
    store_.put(person("a"));
    EXPECT_NE(store_.find_by_identification("idn_a"), nullptr);
    EXPECT_TRUE(store_.erase("user_a"));
    EXPECT_FALSE(store_.erase("user_a"));
    EXPECT_EQ(store_.find("user_a"), nullptr);
    EXPECT_EQ(store_.find_by_identification("idn_a"), nullptr);
    auto again = person("b");
    again.email_addresses.front().value = "a@example.com";
    EXPECT_EQ(store_.conflict(again), "");
    EXPECT_EQ(store_.count({}), 0U);
}

}  // namespace
}  // namespace rollcall::sim
