#include "base/claim_cursor.hpp"

#include <gtest/gtest.h>
#include <array>
#include <chrono>

namespace rollcall {
namespace {

using namespace std::chrono_literals;
using Reach = ClaimCursor::Reach;

class ClaimCursorTest : public testing::Test {
protected:
    Reach pass(bool full, Duration cost = 1ms) {
        const Reach reach = cursor.begin_pass(now);
        now += cost;
        cursor.end_pass(reach, full, cost, now);
        return reach;
    }
    static ClaimPosition at(std::int64_t us, char digit = '1') {
        return {.priority = 2,
                .at_us = us,
                .id = "00000000-0000-0000-0000-00000000000" + std::string(1, digit)};
    }

    ClaimCursor cursor;
    SteadyTime now = SteadyTime(1h);
};

TEST_F(ClaimCursorTest, BeginsAtTheHead) {
    EXPECT_EQ(cursor.position(2, Reach::onward).at_us, std::nullopt);
    EXPECT_EQ(pass(true), Reach::head);
    EXPECT_EQ(pass(true), Reach::onward);
}

TEST_F(ClaimCursorTest, LooksALittleBackWhenThereIsNoBacklog) {
    pass(false);
    EXPECT_EQ(pass(false), Reach::near);
    EXPECT_EQ(pass(true), Reach::near);
    EXPECT_EQ(pass(false), Reach::onward);
    cursor.claimed(at(9'000'000), Reach::onward, true);
    EXPECT_EQ(cursor.position(2, Reach::onward).at_us, 9'000'000);
    EXPECT_EQ(cursor.position(2, Reach::onward).id.back(), '1');
    EXPECT_EQ(cursor.position(2, Reach::near).at_us, 8'750'000);
    EXPECT_EQ(cursor.position(2, Reach::near).id.back(), '0');
    EXPECT_EQ(cursor.position(2, Reach::head).at_us, std::nullopt);
    EXPECT_EQ(cursor.position(1, Reach::onward).at_us, std::nullopt);
}

TEST_F(ClaimCursorTest, LooksFromTheHeadASecondLater) {
    pass(false);
    now += 990ms;
    EXPECT_EQ(pass(false), Reach::near);
    now += 10ms;
    EXPECT_EQ(pass(false), Reach::head);
}

TEST_F(ClaimCursorTest, LooksFromTheHeadATwentiethOfTheTimeAtMost) {
    EXPECT_EQ(pass(true, 2s), Reach::head);
    now += 37s;
    EXPECT_EQ(pass(true), Reach::onward);
    now += 1s;
    EXPECT_EQ(pass(true), Reach::head);
}

TEST_F(ClaimCursorTest, OnePassAtATimeBeginsAtTheHead) {
    const Reach first = cursor.begin_pass(now);
    const Reach second = cursor.begin_pass(now);
    EXPECT_EQ(first, Reach::head);
    EXPECT_NE(second, Reach::head);
    cursor.end_pass(second, false, 1ms, now);
    cursor.end_pass(first, false, 1ms, now);
}

TEST_F(ClaimCursorTest, AFailureSendsTheNextPassToTheHead) {
    pass(false);
    cursor.reset();
    EXPECT_EQ(pass(false), Reach::head);
}

TEST_F(ClaimCursorTest, NeverGoesBackForAFewStragglers) {
    cursor.claimed(at(9'000'000), Reach::onward, true);
    cursor.claimed(at(5'000'000), Reach::near, false);
    cursor.claimed(at(6'000'000), Reach::onward, true);  // a lane that took longer
    EXPECT_EQ(cursor.position(2, Reach::onward).at_us, 9'000'000);
    cursor.claimed(at(9'000'000, '3'), Reach::onward, false);
    EXPECT_EQ(cursor.position(2, Reach::onward).id.back(), '3');
}

TEST_F(ClaimCursorTest, GoesBackForABacklogFoundBehind) {
    cursor.claimed(at(9'000'000), Reach::onward, true);
    cursor.claimed(at(5'000'000), Reach::head, true);
    EXPECT_EQ(cursor.position(2, Reach::onward).at_us, 5'000'000);
}

TEST_F(ClaimCursorTest, APassThatDidNotEndWellIsRepeatedFromTheHead) {
    {
        ClaimPass(cursor).done(false, 1ms);
    }
    EXPECT_EQ(ClaimPass(cursor).reach(), Reach::near);
    EXPECT_EQ(ClaimPass(cursor).reach(), Reach::head);
}

TEST_F(ClaimCursorTest, LearnsPriorities) {
    cursor.add_priorities(std::array{7, 2, -1});
    EXPECT_EQ(cursor.priorities(), (std::vector{7, 2, 1, -1}));
}

}  // namespace
}  // namespace rollcall
