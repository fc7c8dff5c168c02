#include "alerts/alert_state.hpp"

#include <gtest/gtest.h>

namespace rollcall::alerts {
namespace {

using namespace std::chrono_literals;
using Turn = Verdict::Turn;

// One alert over time: what is looked at, and what became of its messages.
class AlertStateTest : public testing::Test {
protected:
    // A look `after` the last one.
    Verdict look(std::chrono::milliseconds after, bool seen) {
        now += after;
        const auto since = seen ? std::optional(now - 10s) : std::nullopt;
        const Verdict verdict = decide(state, since, policy, now);
        state = verdict.state;
        return verdict;
    }
    // The message that waits is sent.
    Notice send(bool delivered = true) {
        const Notice sent = state.waiting;
        if (sent != Notice::none) state.told = sent == Notice::firing;
        if (delivered) state.waiting = Notice::none;
        return sent;
    }
    // Looks and sends; what was sent.
    Notice watch(std::chrono::milliseconds after, bool seen) {
        look(after, seen);
        return send();
    }

    AlertPolicy policy{.cooldown = 1h, .resolve_after = 5min};
    SystemTime now{1'800'000'000'000ms};
    AlertState state;
};

TEST_F(AlertStateTest, NothingHappensToAQuietOne) {
    const Verdict verdict = look(1min, false);
    EXPECT_EQ(verdict.state, AlertState{});
    EXPECT_EQ(verdict.turn, Turn::none);
}

TEST_F(AlertStateTest, FiresAtOnceAndOnlyOnce) {
    const Verdict verdict = look(0s, true);
    EXPECT_EQ(verdict.turn, Turn::began);
    EXPECT_TRUE(verdict.message);
    EXPECT_EQ(verdict.state.since, now - 10s);
    EXPECT_EQ(send(), Notice::firing);
    for (int minute = 1; minute < 60; ++minute) EXPECT_EQ(watch(1min, true), Notice::none);
}

TEST_F(AlertStateTest, RemindsAfterEachCoolDown) {
    watch(0s, true);
    EXPECT_EQ(watch(1h, true), Notice::firing);
    EXPECT_EQ(watch(59min, true), Notice::none);
    EXPECT_EQ(watch(1min, true), Notice::firing);
    EXPECT_EQ(state.since, now - 2h - 10s);
}

TEST_F(AlertStateTest, ResolvesWhenTheConditionStaysAway) {
    watch(0s, true);
    EXPECT_EQ(watch(1min, false), Notice::none);
    EXPECT_TRUE(state.firing);
    const Verdict verdict = look(5min, false);
    EXPECT_EQ(verdict.turn, Turn::ended);
    EXPECT_EQ(state.resolved_at, now);
    EXPECT_EQ(send(), Notice::resolved);
    EXPECT_EQ(watch(1h, false), Notice::none);
}

TEST_F(AlertStateTest, FlappingIsOneIncident) {
    EXPECT_EQ(watch(0s, true), Notice::firing);
    for (int round = 0; round < 10; ++round) {
        EXPECT_EQ(watch(2min, false), Notice::none);
        EXPECT_EQ(watch(2min, true), Notice::none);
    }
}

TEST_F(AlertStateTest, SlowFlappingIsToldOncePerCoolDown) {
    int firing = 0;
    int resolved = 0;
    for (int minute = 0; minute < 10 * 60; ++minute) {
        const Notice sent = watch(1min, minute % 20 < 10);
        firing += sent == Notice::firing ? 1 : 0;
        resolved += sent == Notice::resolved ? 1 : 0;
    }
    EXPECT_EQ(firing, 10);
    EXPECT_EQ(resolved, 10);
}

TEST_F(AlertStateTest, WhatComesBackWithinTheCoolDownAndStaysIsToldAfterIt) {
    watch(0s, true);
    watch(1min, false);
    EXPECT_EQ(watch(5min, false), Notice::resolved);
    EXPECT_EQ(look(4min, true).turn, Turn::began);
    EXPECT_EQ(send(), Notice::none);
    EXPECT_EQ(watch(49min, true), Notice::none);
    EXPECT_EQ(watch(1min, true), Notice::firing);
}

TEST_F(AlertStateTest, WhatNobodyHeardOfEndsInSilence) {
    watch(0s, true);
    watch(1min, false);
    watch(5min, false);
    look(1min, true);
    look(1min, false);
    EXPECT_EQ(look(5min, false).turn, Turn::ended);
    EXPECT_EQ(send(), Notice::none);
}

TEST_F(AlertStateTest, AMessageThatMayHaveArrivedIsFollowedByItsEnd) {
    look(0s, true);
    send(/*delivered=*/false);
    look(1min, false);
    look(5min, false);
    EXPECT_EQ(send(), Notice::resolved);
}

TEST_F(AlertStateTest, AReminderThatWasNotTriedYetDoesNotHideTheEnd) {
    watch(0s, true);
    look(1h, true);  // a reminder waits
    look(1min, false);
    look(5min, false);
    EXPECT_EQ(send(), Notice::resolved);
}

TEST_F(AlertStateTest, OneMessageWaitsAtATime) {
    look(0s, true);
    EXPECT_FALSE(look(2h, true).message);
    EXPECT_EQ(send(), Notice::firing);
    EXPECT_TRUE(look(1min, true).message);
}

TEST_F(AlertStateTest, AnEndThatWasNotSentIsNoNewsWhenItIsOnAgain) {
    watch(0s, true);
    look(1min, false);
    look(5min, false);
    EXPECT_EQ(state.waiting, Notice::resolved);
    look(1min, true);
    EXPECT_EQ(send(), Notice::none);
    look(1min, false);
    look(5min, false);
    EXPECT_EQ(send(), Notice::resolved);
}

TEST_F(AlertStateTest, AClockThatWasSetBackDelaysNothing) {
    watch(0s, true);
    now -= 1h;
    EXPECT_EQ(watch(1min, true), Notice::firing);
    watch(1min, false);
    now -= 1h;
    EXPECT_EQ(watch(1min, false), Notice::none);
    EXPECT_EQ(watch(5min, false), Notice::resolved);
}

TEST_F(AlertStateTest, NothingBeginsInTheFuture) {
    const Verdict verdict = decide({}, now + 1h, policy, now);
    EXPECT_EQ(verdict.state.since, now);
}

}  // namespace
}  // namespace rollcall::alerts
