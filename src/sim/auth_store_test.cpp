#include "sim/auth_store.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

namespace rollcall::sim {
namespace {

namespace json = boost::json;

AuthUser user(const std::string& id, const std::string& email, std::int64_t created_at = 1) {
    AuthUser made;
    made.id = id;
    made.email = email;
    made.created_at = created_at;
    return made;
}

std::vector<std::string> ids(const AuthPage& page) {
    std::vector<std::string> found;
    found.reserve(page.users.size());
    for (const auto* one : page.users) found.push_back(one->id);
    return found;
}

using Ids = std::vector<std::string>;

TEST(AuthStore, FindsByWhatIsUnique) {
    AuthStore store;
    auto ada = user("a", "ada@example.com");
    ada.phone = "15550100";
    store.put(ada);
    EXPECT_EQ(store.find("a")->email, "ada@example.com");
    EXPECT_EQ(store.find_by_email("ada@example.com")->id, "a");
    EXPECT_EQ(store.find_by_phone("15550100")->id, "a");
    EXPECT_EQ(store.find("b"), nullptr);
    EXPECT_EQ(store.find_by_email(""), nullptr);

    ada.email = "countess@example.com";
    ada.phone = "";
    store.put(ada);
    EXPECT_EQ(store.find_by_email("ada@example.com"), nullptr);
    EXPECT_EQ(store.find_by_phone("15550100"), nullptr);
    EXPECT_EQ(store.size(), 1U);
    EXPECT_TRUE(store.erase("a"));
    EXPECT_FALSE(store.erase("a"));
    EXPECT_EQ(store.find_by_email("countess@example.com"), nullptr);
}

TEST(AuthStore, NamesTheConstraintThatStandsInTheWay) {
    AuthStore store;
    auto ada = user("a", "ada@example.com");
    ada.phone = "15550100";
    store.put(ada);
    EXPECT_EQ(store.conflict(user("a", "new@example.com"), true)->constraint, "users_pkey");
    EXPECT_FALSE(store.conflict(user("a", "ada@example.com"), false));
    // Across audiences too: the index knows none.
    auto other = user("b", "ada@example.com");
    other.aud = "elsewhere";
    EXPECT_EQ(store.conflict(other, true)->constraint, "users_email_partial_key");
    other.email = "";
    EXPECT_FALSE(store.conflict(other, true));
    other.phone = "15550100";
    EXPECT_EQ(store.conflict(other, true)->value, "15550100");
}

TEST(AuthStore, ListsByAgeAndThenByArrival) {
    AuthStore store;
    for (const auto* id : {"c", "a", "b"}) store.put(user(id, "", 5));
    store.put(user("old", "", 1));
    store.put(user("new", "", 9));
    EXPECT_EQ(ids(store.list({})), (Ids{"new", "b", "a", "c", "old"}));
    EXPECT_EQ(ids(store.list({.ascending = true})), (Ids{"old", "c", "a", "b", "new"}));
    // A change keeps the place.
    store.put(user("c", "c@example.com", 5));
    EXPECT_EQ(ids(store.list({.ascending = true})), (Ids{"old", "c", "a", "b", "new"}));
}

TEST(AuthStore, PagesAndCountsAll) {
    AuthStore store;
    for (int i = 0; i < 7; ++i) store.put(user(std::to_string(i), "", i));
    const auto page = [&](std::uint64_t number) {
        return store.list({.ascending = true, .page = number, .per_page = 3});
    };
    EXPECT_EQ(ids(page(1)), (Ids{"0", "1", "2"}));
    EXPECT_EQ(ids(page(3)), (Ids{"6"}));
    EXPECT_EQ(ids(page(0)), ids(page(1)));
    EXPECT_TRUE(ids(page(4)).empty());
    EXPECT_TRUE(ids(page(18'446'744'073'709'551'615U)).empty());
    EXPECT_EQ(page(3).total, 7U);
}

TEST(AuthStore, FiltersAsPostgresDoes) {
    AuthStore store;
    auto ada = user("a", "ada_l@example.com", 1);
    ada.user_metadata = {{"full_name", "Ada Lovelace"}};
    store.put(ada);
    store.put(user("b", "adaxl@example.com", 2));
    auto foreign = user("c", "ada_l@example.org", 3);
    foreign.aud = "elsewhere";
    store.put(foreign);
    const auto found = [&](const std::string& filter) {
        return ids(store.list({.filter = filter, .ascending = true}));
    };
    EXPECT_EQ(found("ada_l@"), (Ids{"a", "b"}));  // `_` is any character
    EXPECT_EQ(found(R"(ada\_l@)"), (Ids{"a"}));   // unless it is escaped
    EXPECT_EQ(found("a%m"), (Ids{"a", "b"}));
    EXPECT_EQ(found("ADA_L@"), Ids{});         // addresses by case
    EXPECT_EQ(found("ada love"), (Ids{"a"}));  // names without
    EXPECT_EQ(found("nobody"), Ids{});
}

TEST(AuthStore, MergesMetadataByTopLevelKey) {
    auto target = json::parse(R"({"a": {"x": 1}, "b": 2, "c": 3})").as_object();
    merge_metadata_keys(target,
                        json::parse(R"({"a": {"y": 2}, "b": null, "d": null})").as_object());
    EXPECT_EQ(target, json::parse(R"({"a": {"y": 2}, "c": 3})").as_object());
}

}  // namespace
}  // namespace rollcall::sim
