#include "sync/creation_walk.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace rollcall::sync {
namespace {

clerk::User user(const std::string& id, std::int64_t created_ms) {
    clerk::User out;
    out.id = id;
    out.created_at_ms = created_ms;
    return out;
}

std::vector<std::string> ids(const std::vector<clerk::User>& users) {
    std::vector<std::string> out;
    out.reserve(users.size());
    for (const clerk::User& one : users) out.push_back(one.id);
    return out;
}
using Ids = std::vector<std::string>;

const Range range{.from_ms = 100, .until_ms = 200, .reached_ms = 100, .taken = true};

TEST(CreationWalk, AsksForALittleMoreThanItsRange) {
    const CreationWalk walk(range, 3);
    EXPECT_EQ(walk.query().filter.created_after_ms, 98);
    EXPECT_EQ(walk.query().filter.created_before_ms, 201);
    EXPECT_EQ(walk.query().limit, 3U);
    const CreationWalk from_zero({.until_ms = std::nullopt}, 3);
    EXPECT_FALSE(from_zero.query().filter.created_after_ms.has_value());
    EXPECT_FALSE(from_zero.query().filter.created_before_ms.has_value());
}

TEST(CreationWalk, TheLastMillisecondOfAPageIsNotWholeYet) {
    CreationWalk walk(range, 3);
    Range now = range;
    auto turn = walk.turn({user("a", 110), user("b", 120), user("c", 120)}, now);
    ASSERT_TRUE(turn.has_value());
    EXPECT_EQ(ids(turn->own), (Ids{"a", "b", "c"}));
    EXPECT_EQ(turn->from_ms, 100);
    EXPECT_EQ(turn->until_ms, 120);
    EXPECT_EQ(turn->users, 1);
    EXPECT_FALSE(turn->over);
    EXPECT_EQ(walk.query().starting_after, "c");
    now.reached_ms = 120;
    turn = walk.turn({user("d", 120)}, now);
    EXPECT_EQ(ids(turn->own), (Ids{"d"}));
    EXPECT_EQ(turn->also, (Ids{"b", "c"}));
    EXPECT_EQ(turn->until_ms, 200);
    EXPECT_EQ(turn->users, 3);
    EXPECT_TRUE(turn->over);
}

TEST(CreationWalk, LeavesOthersTheirUsers) {
    CreationWalk walk(range, 4);
    const auto turn =
        walk.turn({user("early", 99), user("a", 100), user("a", 100), user("late", 200)}, range);
    ASSERT_TRUE(turn.has_value());
    EXPECT_EQ(ids(turn->own), (Ids{"a"}));
    EXPECT_TRUE(turn->over);
    EXPECT_EQ(turn->users, 1);
}

TEST(CreationWalk, StopsWhereItsRangeWasCut) {
    CreationWalk walk(range, 2);
    Range now = range;
    now.until_ms = 150;
    const auto turn = walk.turn({user("a", 110), user("b", 160)}, now);
    EXPECT_EQ(ids(turn->own), (Ids{"a"}));
    EXPECT_EQ(turn->until_ms, 150);
    EXPECT_TRUE(turn->over);
}

TEST(CreationWalk, ARefusedCursorBeginsAgainFromItsMillisecond) {
    CreationWalk walk(range, 2);
    EXPECT_FALSE(walk.restart());  // there is no cursor to refuse
    Range now = range;
    ASSERT_TRUE(walk.turn({user("a", 110), user("b", 120)}, now).has_value());
    now.reached_ms = 120;
    EXPECT_TRUE(walk.restart());
    EXPECT_EQ(walk.query().starting_after, "");
    EXPECT_EQ(walk.query().filter.created_after_ms, 118);
    // The same user again, and the one behind: nobody is counted twice.
    const auto turn = walk.turn({user("b", 120), user("c", 130)}, now);
    EXPECT_EQ(ids(turn->own), (Ids{"c"}));
    EXPECT_EQ(turn->users, 1);
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(walk.restart()) << i;
        now.reached_ms = 130;
        ASSERT_TRUE(walk.turn({user("x", 129), user(fmt::format("y{}", i), 130)}, now));
    }
    EXPECT_FALSE(walk.restart());
}

TEST(CreationWalk, WhoIsDeletedFromTheMillisecondIsStillCountedOnce) {
    CreationWalk walk(range, 2);
    Range now = range;
    ASSERT_TRUE(walk.turn({user("a", 110), user("b", 120)}, now).has_value());
    now.reached_ms = 120;
    ASSERT_TRUE(walk.restart());
    const auto turn = walk.turn({user("c", 130)}, now);
    EXPECT_EQ(turn->also, (Ids{"b"}));
    EXPECT_EQ(turn->users, 2);
}

TEST(CreationWalk, AListOutOfOrderSaysNothing) {
    const auto bad = [](std::vector<clerk::User> listed) {
        CreationWalk walk(range, 2);
        return !walk.turn(listed, range).has_value();
    };
    EXPECT_TRUE(bad({user("a", 120), user("b", 110)}));
    EXPECT_TRUE(bad({user("a", 90)}));
    EXPECT_TRUE(bad({user("a", 110), user("b", 120), user("c", 130)}));
    CreationWalk walk(range, 2);
    ASSERT_TRUE(walk.turn({user("a", 110), user("b", 120)}, range).has_value());
    Range now = range;
    now.reached_ms = 120;
    EXPECT_FALSE(walk.turn({user("a", 110), user("b", 120)}, now).has_value());
}

}  // namespace
}  // namespace rollcall::sync
