#include "clerk/key_schedule.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace rollcall::clerk {
namespace {

using namespace std::chrono_literals;

const SteadyTime start{1h};

class Schedule : public testing::Test {
protected:
    // A publisher that answers at once, `times` from now on.
    void succeed(SteadyTime now, std::optional<std::chrono::seconds> granted = std::nullopt) {
        schedule.succeeded(now, granted, random.fraction());
    }

    Random random{11};
    KeySchedule schedule{KeyScheduleConfig{}, start};
};

TEST_F(Schedule, AsksAtOnceAndThenAfterHalfTheTime) {
    EXPECT_LE(schedule.due(), start);
    EXPECT_FALSE(schedule.usable(start));
    succeed(start);
    EXPECT_TRUE(schedule.usable(start));
    EXPECT_EQ(schedule.due(), start + 5min);
    EXPECT_FALSE(schedule.stale(start + 9min));
    EXPECT_TRUE(schedule.stale(start + 10min));
}

TEST_F(Schedule, KeepsWhatTheAnswerGrantsWithinBounds) {
    succeed(start, 20min);
    EXPECT_EQ(schedule.due(), start + 10min);
    succeed(start, 24h);
    EXPECT_EQ(schedule.due(), start + 30min);
    EXPECT_TRUE(schedule.stale(start + 1h));
    schedule.succeeded(start, 0s, 0);
    EXPECT_EQ(schedule.due(), start + 31s);
    EXPECT_TRUE(schedule.stale(start + 1min));
    EXPECT_FALSE(schedule.stale(start + 59s));
}

TEST_F(Schedule, WithoutASetAsksWithinFiveSeconds) {
    // A request may take three seconds until it has failed.
    for (const double chance : {0.0, 0.5, 0.999}) {
        schedule.failed(start, chance);
        EXPECT_GE(schedule.due(), start + 1s);
        EXPECT_LE(schedule.due() + 3s, start + 5s);
    }
}

TEST_F(Schedule, ServesOnForADayWhileAskingFails) {
    succeed(start);
    SteadyTime now = schedule.due();
    int asked = 0;
    while (now < start + 24h) {
        EXPECT_TRUE(schedule.usable(now));
        schedule.failed(now, random.fraction());
        EXPECT_GE(schedule.due() - now, 31s);
        EXPECT_LE(schedule.due() - now, 37s);
        now = schedule.due();
        ++asked;
    }
    EXPECT_FALSE(schedule.usable(start + 24h));
    EXPECT_GT(asked, 2000);
    succeed(now);
    EXPECT_TRUE(schedule.usable(now));
}

// fault 36
// The flood: a made-up kid every millisecond for an hour.
TEST_F(Schedule, MadeUpKidsCostTwoRequestsAMinuteAtMost) {
    std::vector<SteadyTime> requests;
    int kid = 0;
    for (SteadyTime now = start; now < start + 1h; now += 1ms) {
        if (now > start) (void)schedule.missed("ins_" + std::to_string(++kid), now);
        if (now < schedule.due()) continue;
        requests.push_back(now);
        succeed(now);
        schedule.note_unknown("ins_" + std::to_string(kid), now);
    }
    EXPECT_GT(requests.size(), 90U);
    for (std::size_t i = 2; i < requests.size(); ++i) {
        EXPECT_GT(requests[i] - requests[i - 2], 1min);
    }
}

TEST_F(Schedule, TheSameAlsoWhileThePublisherIsAway) {
    succeed(start);
    std::vector<SteadyTime> requests;
    int kid = 0;
    for (SteadyTime now = start; now < start + 1h; now += 1ms) {
        (void)schedule.missed("ins_" + std::to_string(++kid), now);
        if (now < schedule.due()) continue;
        requests.push_back(now);
        schedule.failed(now, random.fraction());
    }
    for (std::size_t i = 2; i < requests.size(); ++i) {
        EXPECT_GT(requests[i] - requests[i - 2], 1min);
    }
}

TEST_F(Schedule, AskedOnceForAKidThatIsNotThere) {
    succeed(start);
    EXPECT_FALSE(schedule.missed("ins_new", start + 30s));  // the cool-down
    EXPECT_TRUE(schedule.missed("ins_new", start + 38s));
    EXPECT_EQ(schedule.due(), start + 38s);
    succeed(start + 38s);
    schedule.note_unknown("ins_new", start + 38s);
    EXPECT_FALSE(schedule.missed("ins_new", start + 2min));
    EXPECT_TRUE(schedule.missed("ins_other", start + 2min));
    EXPECT_TRUE(schedule.missed("ins_new", start + 38s + 5min));
}

TEST_F(Schedule, RemembersNoMoreUnknownKidsThanItShould) {
    succeed(start);
    for (int i = 0; i < 2000; ++i) schedule.note_unknown("ins_" + std::to_string(i), start);
    EXPECT_TRUE(schedule.missed("ins_0", start + 1min));  // forgotten by now
    EXPECT_FALSE(schedule.missed("ins_1999", start + 1min));
    EXPECT_FALSE(schedule.missed("ins_976", start + 1min));
    EXPECT_TRUE(schedule.missed("ins_975", start + 1min));
}

TEST(CacheControl, IsReadAsRfc9111HasIt) {
    EXPECT_EQ(granted_ttl("max-age=600"), 600s);
    EXPECT_EQ(granted_ttl("public, MAX-AGE=60 , stale-if-error=5"), 60s);
    EXPECT_EQ(granted_ttl("max-age=0"), 0s);
    EXPECT_EQ(granted_ttl("max-age=600, no-store"), 0s);
    EXPECT_EQ(granted_ttl("no-cache"), 0s);
    for (const char* nothing : {"", "public", "max-age", "max-age=", "max-age=-1", "max-age=1x",
                                "max-age=99999999999", "s-maxage=5", ",,,"}) {
        EXPECT_EQ(granted_ttl(nothing), std::nullopt) << nothing;
    }
}

}  // namespace
}  // namespace rollcall::clerk
