#include "jobs/retry_policy.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace rollcall::jobs {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(RetryPolicy, FirstRetryIsWithinTheBase) {
    Random random(1);
    const RetryPolicy policy;
    for (int i = 0; i < 1000; ++i) {
        const auto delay = policy.next(1, random);
        ASSERT_TRUE(delay);
        EXPECT_GE(*delay, milliseconds(1));
        EXPECT_LE(*delay, seconds(2));
    }
}

TEST(RetryPolicy, GivesUpAfterTheLastAttempt) {
    Random random(1);
    const RetryPolicy policy{.attempts_max = 3};
    EXPECT_TRUE(policy.next(2, random));
    EXPECT_FALSE(policy.next(3, random));
    EXPECT_FALSE(policy.next(4, random));
    EXPECT_FALSE((RetryPolicy{.attempts_max = 1}.next(1, random)));
}

TEST(RetryPolicy, AJobsOwnLimitGoesFirst) {
    Random random(1);
    const RetryPolicy policy{.attempts_max = 3};
    EXPECT_TRUE(policy.limited_to(5).next(4, random));
    EXPECT_FALSE(policy.limited_to(2).next(2, random));
    EXPECT_TRUE(policy.limited_to(0).next(2, random));
    EXPECT_FALSE(policy.limited_to(0).next(3, random));
}

RC_GTEST_PROP(RetryPolicy, DelaysDoubleUntilTheCapAndNeverPassIt, (std::uint64_t seed)) {
    Random random(seed);
    const RetryPolicy policy{.attempts_max = 1000};
    const int attempt = *rc::gen::inRange(1, 1000);
    const auto delay = policy.next(attempt, random);
    RC_ASSERT(delay.has_value());
    RC_ASSERT(*delay >= milliseconds(1));
    RC_ASSERT(*delay <= minutes(10));
    if (attempt < 9) RC_ASSERT(*delay <= seconds(2) * (1 << (attempt - 1)));
}

TEST(RetryPolicy, DelaysAreSpreadOverTheWholeRange) {
    Random random(7);
    const RetryPolicy policy;
    int low = 0;
    int high = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto delay = *policy.next(5, random);  // up to 32 s
        if (delay < seconds(8)) ++low;
        if (delay > seconds(24)) ++high;
    }
    EXPECT_GT(low, 150);
    EXPECT_GT(high, 150);
}

TEST(RetryPolicy, AnOutageIsWaitedForWithItsOwnCap) {
    Random random(1);
    const RetryPolicy policy;
    for (const std::int64_t tries : {1L, 2L, 10L, 1'000'000'000'000L}) {
        const auto delay = policy.after_outage(tries, random);
        EXPECT_GE(delay, milliseconds(1));
        EXPECT_LE(delay, minutes(1));
    }
    EXPECT_LE(policy.after_outage(1, random), seconds(2));
    EXPECT_EQ(policy.outage_max, hours(24));
}

}  // namespace
}  // namespace rollcall::jobs
