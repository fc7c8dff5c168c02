#include "http/token_bucket.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <deque>

namespace rollcall::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr SteadyTime start{seconds(1000)};

TEST(TokenBucket, GivesTheBurstAndThenTheRate) {
    const RateLimit limit{.per_second = 2, .burst = 3};
    TokenBucket bucket(limit, start);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.take(limit, start), milliseconds(0));
    EXPECT_EQ(bucket.take(limit, start), milliseconds(500));
    EXPECT_EQ(bucket.take(limit, start + milliseconds(250)), milliseconds(250));
    EXPECT_EQ(bucket.take(limit, start + milliseconds(500)), milliseconds(0));
    EXPECT_EQ(bucket.peek(limit, start + milliseconds(500)), milliseconds(500));
}

TEST(TokenBucket, TellsWhatIsLeft) {
    const RateLimit limit{.per_second = 2, .burst = 3};
    TokenBucket bucket(limit, start);
    EXPECT_EQ(bucket.left(limit, start), 3);
    EXPECT_EQ(bucket.take(limit, start), milliseconds(0));
    EXPECT_EQ(bucket.left(limit, start), 2);
    EXPECT_EQ(bucket.left(limit, start + milliseconds(250)), 2.5);
    EXPECT_EQ(bucket.left(limit, start + seconds(9)), 3) << "never more than the burst";
    bucket.hold_until(limit, start + seconds(7));
    EXPECT_EQ(bucket.left(limit, start + seconds(6)), 0);
    EXPECT_EQ(bucket.left(limit, start + seconds(7)), 1);
}

TEST(TokenBucket, HoldsEverythingBack) {
    const RateLimit limit{.per_second = 2, .burst = 3};
    TokenBucket bucket(limit, start);
    bucket.hold_until(limit, start + seconds(7));
    EXPECT_EQ(bucket.take(limit, start), seconds(7));
    EXPECT_EQ(bucket.take(limit, start + seconds(6)), seconds(1));
    EXPECT_EQ(bucket.take(limit, start + seconds(7)), milliseconds(0));
    EXPECT_EQ(bucket.take(limit, start + seconds(7)), milliseconds(500)) << "no burst after it";
}

TEST(TokenBucket, AnEarlierEndShortensNoHold) {
    const RateLimit limit{.per_second = 2, .burst = 3};
    TokenBucket bucket(limit, start);
    bucket.hold_until(limit, start + seconds(7));
    bucket.hold_until(limit, start + seconds(3));
    EXPECT_EQ(bucket.take(limit, start), seconds(7));
    bucket.hold_until(limit, start + seconds(9));
    EXPECT_EQ(bucket.take(limit, start), seconds(9));
}

TEST(TokenBucket, AHoldGivesNoTokenAway) {
    const RateLimit limit{.per_second = 1, .burst = 1};
    TokenBucket bucket(limit, start);
    EXPECT_EQ(bucket.take(limit, start), milliseconds(0));
    bucket.hold_until(limit, start + milliseconds(100));
    EXPECT_EQ(bucket.take(limit, start), seconds(1));
    EXPECT_EQ(bucket.take(limit, start + milliseconds(100)), milliseconds(900));
}

TEST(LimitInAny, LeavesTheWholeAmountInTheLongRun) {
    const RateLimit one = limit_in_any(seconds(10), 1);
    EXPECT_DOUBLE_EQ(one.per_second, 0.1);
    EXPECT_DOUBLE_EQ(one.burst, 1);
    const RateLimit live = limit_in_any(seconds(10), 1000);
    EXPECT_DOUBLE_EQ(live.burst, 100);
    EXPECT_DOUBLE_EQ(live.per_second, 90.1);
}

// Whoever counts, and from whenever on: never more than the amount in a window.
RC_GTEST_PROP(LimitInAny, IsNeverExceeded, ()) {
    const auto amount = *rc::gen::inRange<int>(1, 200);
    const auto pauses = *rc::gen::container<std::vector<int>>(rc::gen::inRange<int>(0, 20'000));
    const RateLimit limit = limit_in_any(seconds(10), amount);
    SteadyTime now = start;
    TokenBucket bucket(limit, now);
    std::deque<SteadyTime> taken;
    for (const int pause : pauses) {
        now += milliseconds(pause);
        for (int i = 0; i < 300; ++i) {
            const auto wait = bucket.take(limit, now);
            if (wait > milliseconds(100)) break;
            if (wait == milliseconds(0)) taken.push_back(now);
            now += wait;
            while (!taken.empty() && taken.front() <= now - seconds(10)) taken.pop_front();
            RC_ASSERT(taken.size() <= static_cast<std::size_t>(amount));
        }
    }
}

}  // namespace
}  // namespace rollcall::http
