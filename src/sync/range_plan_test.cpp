#include "sync/range_plan.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <vector>

namespace rollcall::sync {
namespace {

// Disjoint, without a gap, from the beginning of time to an open end.
void expect_whole(const RangePlan& plan) {
    std::vector<Range> ranges = plan.ranges();
    std::ranges::sort(ranges, {}, &Range::from_ms);
    std::int64_t at = 0;
    for (const Range& range : ranges) {
        EXPECT_EQ(range.from_ms, at);
        if (!range.until_ms) {
            EXPECT_EQ(&range, &ranges.back());
            return;
        }
        EXPECT_GT(*range.until_ms, range.from_ms);
        at = *range.until_ms;
    }
    ADD_FAILURE() << "no open range";
}

TEST(RangePlan, SharesTheWholeTimeOut) {
    const RangePlan plan(1'000, 9'000, 4, 500);
    EXPECT_EQ(plan.ranges().size(), 5U);
    expect_whole(plan);
    EXPECT_EQ(plan.ranges().back().from_ms, 9'001);
}

TEST(RangePlan, OneMillisecondIsOneRange) {
    for (const std::int64_t at : {0, 1, 5}) {
        const RangePlan plan(at, at, 8, 500);
        expect_whole(plan);
        EXPECT_EQ(plan.ranges().back().from_ms, at + 1);
    }
}

TEST(RangePlan, WhoIsDoneTakesHalfOfTheLongest) {
    RangePlan plan(1'000'000, 1'999'999, 2, 10);
    const auto first = *plan.take();
    const auto second = *plan.take();
    const auto open = *plan.take();
    plan.finish(open, 0);
    plan.advance(first, 1'100'000, 1'000);
    plan.finish(second, 2'000);
    const auto third = plan.take();
    ASSERT_TRUE(third.has_value());
    EXPECT_EQ(plan[*third].from_ms, 1'300'000);
    EXPECT_EQ(plan[*third].until_ms, 1'500'000);
    EXPECT_EQ(plan[first].until_ms, 1'300'000);
    expect_whole(plan);
}

// As long as Clerk's whole time before the oldest user counts as theirs, none seem to be left.
TEST(RangePlan, TheFirstIsSharedOutAsTheOthers) {
    constexpr std::int64_t oldest = 1'700'000'000'000;
    RangePlan plan(oldest, oldest + 1'999'999, 2, 10);
    const auto first = *plan.take();
    plan.finish(*plan.take(), 1'000);
    plan.finish(*plan.take(), 0);
    plan.advance(first, oldest + 100'000, 100);
    const auto half = plan.take();
    ASSERT_TRUE(half.has_value());
    EXPECT_EQ(plan[*half].from_ms, oldest + 550'000);
    expect_whole(plan);
}

TEST(RangePlan, WhatIsBeingWorkedOffIsNotSharedOut) {
    RangePlan plan(1'000'000, 1'999'999, 1, 10);
    const auto first = *plan.take();
    plan.finish(*plan.take(), 0);
    plan.advance(first, 1'100'000, 1'000);
    plan.claim(first, 1'900'000);
    const auto second = plan.take();
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ(plan[*second].from_ms, 1'950'000);
}

TEST(RangePlan, LittleIsNotSharedOut) {
    RangePlan plan(1'000'000, 1'999'999, 1, 500);
    const auto first = *plan.take();
    plan.finish(*plan.take(), 0);
    plan.advance(first, 1'900'000, 1'000);  // some hundred users are left
    EXPECT_FALSE(plan.take().has_value());
}

TEST(RangePlan, GoesOnWhereItWasLeft) {
    RangePlan before(1'000'000, 1'999'999, 2, 10);
    before.advance(*before.take(), 1'200'000, 7);
    before.finish(*before.take(), 5);
    RangePlan plan(before.ranges(), 10);
    EXPECT_FALSE(plan.done());
    const auto first = plan.take();
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(plan[*first].reached_ms, 1'200'000);
    plan.finish(*first, 1);
    plan.finish(*plan.take(), 3);
    EXPECT_TRUE(plan.done());
    EXPECT_EQ(plan.seen_before(2'000'000), 13);
}

// Users stand anywhere, many in one millisecond; workers go on in any order and take new ranges:
// everybody is seen exactly once.
TEST(RangePlan, EverybodyIsSeenOnce) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        std::vector<std::int64_t> users;
        for (std::int64_t i = random.between(0, 400); i >= 0; --i) {
            users.push_back(random.between(1'000, random.between(1'001, 90'000)));
        }
        std::ranges::sort(users);
        RangePlan plan(users.front(), users.back(), static_cast<int>(random.between(1, 6)), 5);
        std::vector<std::size_t> working;
        std::int64_t seen = 0;
        for (int i = 0; i < 4; ++i) {
            if (const auto taken = plan.take()) working.push_back(*taken);
        }
        while (!working.empty()) {
            const auto at = static_cast<std::size_t>(
                random.between(0, static_cast<std::int64_t>(working.size()) - 1));
            const std::size_t number = working[at];
            const Range range = plan[number];
            // A page: five users from where it is, whole milliseconds.
            const auto begin = std::ranges::lower_bound(users, range.reached_ms);
            auto end = begin + std::min<std::ptrdiff_t>(5, users.end() - begin);
            if (end != users.end()) end = std::ranges::upper_bound(users, *(end - 1));
            const std::int64_t page_end =
                end == users.end() ? users.back() + 1 : std::int64_t{*(end - 1)} + 1;
            const bool last = end == users.end() || (range.until_ms && page_end >= *range.until_ms);
            const std::int64_t until = range.until_ms.value_or(users.back() + 1);
            const auto counted =
                std::ranges::count_if(begin, end, [&](std::int64_t user) { return user < until; });
            plan.claim(number, last ? until : page_end);
            seen += counted;
            if (last) {
                plan.finish(number, counted);
                working.erase(working.begin() + static_cast<std::ptrdiff_t>(at));
                if (const auto taken = plan.take()) working.push_back(*taken);
            } else {
                plan.advance(number, page_end, counted);
            }
        }
        EXPECT_TRUE(plan.done());
        EXPECT_EQ(seen, static_cast<std::int64_t>(users.size()));
        EXPECT_EQ(plan.seen_before(users.back() + 1), seen);
        expect_whole(plan);
    }
}

}  // namespace
}  // namespace rollcall::sync
