#include "http/breaker.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace rollcall::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = Breaker::State;

class BreakerTest : public testing::Test {
protected:
    Breaker::Pass pass() {
        const auto admission = breaker_.admit(now_);
        EXPECT_TRUE(admission.admitted);
        return admission.pass;
    }
    void fail(int times) {
        for (int i = 0; i < times; ++i) breaker_.failed(pass(), now_);
    }
    milliseconds refused_for() {
        const auto admission = breaker_.admit(now_);
        EXPECT_FALSE(admission.admitted);
        return admission.wait;
    }

    SteadyTime now_{seconds(1000)};
    Breaker breaker_{{.failures_max = 3,
                      .open_min = milliseconds(1000),
                      .open_max = milliseconds(3000),
                      .probe_max = milliseconds(10'000)}};
};

TEST_F(BreakerTest, FailuresInARowOpenIt) {
    fail(2);
    EXPECT_EQ(breaker_.state(), State::closed);
    fail(1);
    EXPECT_EQ(breaker_.state(), State::open);
    EXPECT_EQ(refused_for(), milliseconds(1000));
    now_ += milliseconds(999);
    EXPECT_EQ(refused_for(), milliseconds(1));
}

TEST_F(BreakerTest, SaysHowLongToWaitWithoutLettingAnythingThrough) {
    EXPECT_EQ(breaker_.wait(now_), milliseconds(0));
    fail(3);
    EXPECT_EQ(breaker_.wait(now_), milliseconds(1000));
    now_ += milliseconds(1000);
    EXPECT_EQ(breaker_.wait(now_), milliseconds(0));
    EXPECT_EQ(breaker_.state(), State::open);
    const auto probe = pass();
    EXPECT_GT(breaker_.wait(now_), milliseconds(0));
    breaker_.abandoned(probe);
    EXPECT_EQ(breaker_.wait(now_), milliseconds(0));
}

TEST_F(BreakerTest, ASuccessBetweenThemKeepsItClosed) {
    fail(2);
    breaker_.succeeded(pass());
    fail(2);
    EXPECT_EQ(breaker_.state(), State::closed);
}

TEST_F(BreakerTest, OneProbeAtATimeAndItsSuccessCloses) {
    fail(3);
    now_ += milliseconds(1000);
    const auto probe = pass();
    EXPECT_EQ(breaker_.state(), State::half_open);
    EXPECT_GT(refused_for(), milliseconds(0));
    EXPECT_LE(refused_for(), milliseconds(100)) << "a probe may end soon";
    breaker_.succeeded(probe);
    EXPECT_EQ(breaker_.state(), State::closed);
    (void)pass();
    fail(2);
    EXPECT_EQ(breaker_.state(), State::closed) << "failures count from the start again";
}

TEST_F(BreakerTest, AFailedProbeOpensItForTwiceAsLongUpToTheMost) {
    fail(3);
    for (const int wait : {1000, 2000, 3000, 3000}) {
        EXPECT_EQ(refused_for(), milliseconds(wait));
        now_ += milliseconds(wait);
        fail(1);
    }
    now_ += seconds(3);
    breaker_.succeeded(pass());
    fail(3);
    EXPECT_EQ(refused_for(), milliseconds(1000)) << "a success forgets it";
}

TEST_F(BreakerTest, WhatBeganBeforeSaysNothingOfNow) {
    const auto early = pass();
    fail(3);
    breaker_.succeeded(early);
    EXPECT_EQ(breaker_.state(), State::open);
    now_ += seconds(1);
    const auto probe = pass();
    breaker_.failed(early, now_);
    EXPECT_EQ(breaker_.state(), State::half_open);
    breaker_.succeeded(probe);
    breaker_.failed(probe, now_);
    breaker_.failed(early, now_);
    fail(2);
    EXPECT_EQ(breaker_.state(), State::closed);
}

TEST_F(BreakerTest, AnAbandonedProbeMakesRoomForAnother) {
    fail(3);
    now_ += seconds(1);
    breaker_.abandoned(pass());
    const auto probe = pass();
    EXPECT_EQ(breaker_.state(), State::half_open);
    breaker_.succeeded(probe);
    EXPECT_EQ(breaker_.state(), State::closed);
}

TEST_F(BreakerTest, AProbeThatNeverEndsIsReplaced) {
    fail(3);
    now_ += seconds(1);
    const auto lost = pass();
    now_ += seconds(10);
    const auto probe = pass();
    breaker_.succeeded(lost);
    EXPECT_EQ(breaker_.state(), State::half_open);
    breaker_.succeeded(probe);
    EXPECT_EQ(breaker_.state(), State::closed);
}

TEST_F(BreakerTest, CountsItsTransitions) {
    fail(3);
    now_ += seconds(1);
    fail(1);
    now_ += seconds(2);
    breaker_.succeeded(pass());
    EXPECT_EQ(breaker_.entered(State::open), 2U);
    EXPECT_EQ(breaker_.entered(State::half_open), 2U);
    EXPECT_EQ(breaker_.entered(State::closed), 1U);
    EXPECT_EQ(to_string(State::half_open), "half_open");
}

// Whatever happens, in whatever order: it is never stuck, and never probed twice at once.
RC_GTEST_PROP(Breaker, NeverGetsStuck, (const std::vector<std::uint8_t>& script)) {
    Breaker breaker({.failures_max = 2,
                     .open_min = milliseconds(10),
                     .open_max = milliseconds(80),
                     .probe_max = milliseconds(200)});
    SteadyTime now{seconds(1)};
    std::vector<Breaker::Pass> under_way;
    for (const std::uint8_t step : script) {
        now += milliseconds(step / 8);
        if (step % 4 == 0) {
            const auto admission = breaker.admit(now);
            if (admission.admitted) under_way.push_back(admission.pass);
            RC_ASSERT(admission.admitted || admission.wait > milliseconds(0));
        } else if (!under_way.empty()) {
            const auto pass = under_way.back();
            under_way.pop_back();
            if (step % 4 == 1) breaker.succeeded(pass);
            if (step % 4 == 2) breaker.failed(pass, now);
            if (step % 4 == 3) breaker.abandoned(pass);
        }
    }
    now += milliseconds(200);
    const auto probe = breaker.admit(now);
    RC_ASSERT(probe.admitted);
    RC_ASSERT(breaker.state() == State::closed || !breaker.admit(now).admitted);
    breaker.succeeded(probe.pass);
    RC_ASSERT(breaker.state() == State::closed);
}

}  // namespace
}  // namespace rollcall::http
