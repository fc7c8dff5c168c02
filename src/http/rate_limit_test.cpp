#include "http/rate_limit.hpp"

#include <gtest/gtest.h>

namespace rollcall::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RateLimiterTest : public testing::Test {
protected:
    const SteadyTime start_{seconds(1000)};
};

TEST_F(RateLimiterTest, AllowsTheBurstAndThenTheRate) {
    RateLimiter limiter({.per_second = 2, .burst = 3}, 10);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.take("a", start_), milliseconds(0));
    EXPECT_EQ(limiter.take("a", start_), milliseconds(500));
    EXPECT_EQ(limiter.take("a", start_ + milliseconds(250)), milliseconds(250));
    EXPECT_EQ(limiter.take("a", start_ + milliseconds(500)), milliseconds(0));
    EXPECT_EQ(limiter.take("a", start_ + milliseconds(500)), milliseconds(500));
}

TEST_F(RateLimiterTest, NeverSavesMoreThanTheBurst) {
    RateLimiter limiter({.per_second = 100, .burst = 2}, 10);
    EXPECT_EQ(limiter.take("a", start_), milliseconds(0));
    const SteadyTime later = start_ + std::chrono::hours(5);
    EXPECT_EQ(limiter.take("a", later), milliseconds(0));
    EXPECT_EQ(limiter.take("a", later), milliseconds(0));
    EXPECT_GT(limiter.take("a", later), milliseconds(0));
}

TEST_F(RateLimiterTest, KeysAreApart) {
    RateLimiter limiter({.per_second = 1, .burst = 1}, 10);
    EXPECT_EQ(limiter.take("a", start_), milliseconds(0));
    EXPECT_EQ(limiter.take("b", start_), milliseconds(0));
    EXPECT_EQ(limiter.take("a", start_), milliseconds(1000));
}

TEST_F(RateLimiterTest, PeekTakesNothing) {
    RateLimiter limiter({.per_second = 1, .burst = 1}, 10);
    EXPECT_EQ(limiter.peek("a", start_), milliseconds(0));
    EXPECT_EQ(limiter.size(), 0U);
    EXPECT_EQ(limiter.take("a", start_), milliseconds(0));
    EXPECT_EQ(limiter.peek("a", start_), milliseconds(1000));
    EXPECT_EQ(limiter.peek("a", start_ + seconds(1)), milliseconds(0));
    EXPECT_EQ(limiter.take("a", start_ + seconds(1)), milliseconds(0));
}

TEST_F(RateLimiterTest, TheLongestIdleKeyMakesRoom) {
    RateLimiter limiter({.per_second = 0.001, .burst = 1}, 2);
    EXPECT_EQ(limiter.take("a", start_), milliseconds(0));
    EXPECT_EQ(limiter.take("b", start_), milliseconds(0));
    EXPECT_GT(limiter.take("a", start_), milliseconds(0));  // b is now the older one
    EXPECT_EQ(limiter.take("c", start_), milliseconds(0));
    EXPECT_EQ(limiter.size(), 2U);
    EXPECT_GT(limiter.peek("a", start_), milliseconds(0));
    EXPECT_EQ(limiter.peek("b", start_), milliseconds(0));  // forgotten
}

TEST_F(RateLimiterTest, AClockThatGoesBackGivesNothing) {
    RateLimiter limiter({.per_second = 1, .burst = 1}, 2);
    EXPECT_EQ(limiter.take("a", start_), milliseconds(0));
    EXPECT_EQ(limiter.take("a", start_ - seconds(100)), milliseconds(1000));
    EXPECT_EQ(limiter.take("a", start_ + milliseconds(999)), milliseconds(1));
}

TEST_F(RateLimiterTest, WaitsAreAtMostAnHour) {
    RateLimiter limiter({.per_second = 1e-9, .burst = 1}, 2);
    EXPECT_EQ(limiter.take("a", start_), milliseconds(0));
    EXPECT_EQ(limiter.take("a", start_), std::chrono::hours(1));
}

TEST(RateLimitKey, IsWhatOneCustomerHolds) {
    EXPECT_EQ(rate_limit_key("192.0.2.7"), "192.0.2.7");
    EXPECT_EQ(rate_limit_key("::ffff:192.0.2.7"), "192.0.2.7");
    EXPECT_EQ(rate_limit_key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    EXPECT_EQ(rate_limit_key("2001:db8:1:2::9"), "2001:db8:1:2::/64");
    EXPECT_EQ(rate_limit_key(std::string(500, 'x')).size(), 64U);
}

}  // namespace
}  // namespace rollcall::http
