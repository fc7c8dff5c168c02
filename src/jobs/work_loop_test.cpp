#include "jobs/work_loop.hpp"

#include "base/log.hpp"
#include "base/result.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/post.hpp>
#include <stdexcept>
#include <vector>

namespace rollcall::jobs {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

struct Loop : testing::Test {
    asio::io_context io;
    WorkLoopConfig config{.name = "test", .poll_interval = [] { return hours(1); }};

    // Runs `scenario` to its end; the loop must leave nothing behind.
    void play(Task<> scenario) {
        spawn(io.get_executor(), "scenario", std::move(scenario));
        io.run_for(std::chrono::seconds(20));
        EXPECT_TRUE(io.stopped()) << "something still waits";
    }
};

// Lets everything run that is ready; only timers are left.
Task<> settle() {
    const Executor executor = co_await asio::this_coro::executor;
    for (int i = 0; i < 20; ++i) co_await asio::post(executor, use_task);
}

Task<> until(const std::function<bool()>& condition) {
    while (!condition()) co_await sleep(milliseconds(1));  // play() has the deadline
}

TEST_F(Loop, RunsAtOnceWhileThereIsMoreAndThenWaits) {
    int left = 5;
    int passes = 0;
    config.full_pass = 2;
    WorkLoop loop(io.get_executor(), config, [&]() -> Task<int> {
        ++passes;
        const int done = std::min(left, 2);
        left -= done;
        co_return done;
    });
    loop.start();
    loop.start();
    play([](WorkLoop& it) -> Task<> {
        co_await settle();
        co_await it.stop();
    }(loop));
    EXPECT_EQ(left, 0);
    EXPECT_EQ(passes, 3);  // 2, 2, 1: the last saw the end
}

TEST_F(Loop, WakesAnIdleLane) {
    int passes = 0;
    WorkLoop loop(io.get_executor(), config, [&]() -> Task<int> {
        ++passes;
        co_return 0;
    });
    loop.start();
    play([](WorkLoop& it, int& count) -> Task<> {
        co_await settle();
        EXPECT_EQ(count, 1);
        it.wake();
        it.wake();
        co_await settle();
        EXPECT_EQ(count, 2);
        co_await it.stop();
    }(loop, passes));
}

TEST_F(Loop, ManyWakesDuringAPassAreOnePassMore) {
    int passes = 0;
    config.lanes = 3;
    WorkLoop* self = nullptr;
    WorkLoop loop(io.get_executor(), config, [&]() -> Task<int> {
        if (++passes == 2) {
            for (int i = 0; i < 10; ++i) self->wake();
            co_await settle();
        }
        co_return 0;
    });
    self = &loop;
    loop.start();
    play([](WorkLoop& it, int& count) -> Task<> {
        co_await settle();
        EXPECT_EQ(count, 1);
        it.wake();
        co_await until([&] { return count >= 3; });
        co_await settle();
        EXPECT_EQ(count, 3);
        co_await it.stop();
    }(loop, passes));
}

TEST_F(Loop, SteadyWorkIsGatheredAndALoneJobIsNot) {
    using Steady = std::chrono::steady_clock;
    config.lanes = 2;
    config.full_pass = 100;
    config.steady = 5;
    config.gather = milliseconds(200);
    int due = 5;
    std::vector<Steady::time_point> begun;
    WorkLoop loop(io.get_executor(), config, [&]() -> Task<int> {
        begun.push_back(Steady::now());
        co_return due;
    });
    loop.start();
    play([](WorkLoop& it, std::vector<Steady::time_point>& passes, int& jobs) -> Task<> {
        while (passes.size() < 2) {
            it.wake();
            co_await sleep(milliseconds(1));
        }
        EXPECT_GE(passes[1] - passes[0], milliseconds(199));
        jobs = 4;
        it.wake();
        co_await until([&] { return passes.size() == 3; });
        const auto woken = Steady::now();
        it.wake();
        co_await until([&] { return passes.size() == 4; });
        EXPECT_LT(Steady::now() - woken, milliseconds(150));
        jobs = 5;
        it.wake();
        co_await until([&] { return passes.size() == 5; });
        it.wake();
        co_await settle();
        co_await it.stop();  // while it gathers
        EXPECT_EQ(passes.size(), 5);
    }(loop, begun, due));
}

TEST_F(Loop, FullPassesBringInTheOtherLanes) {
    int busy = 0;
    int most = 0;
    int left = 30;
    config.lanes = 3;
    WorkLoop loop(io.get_executor(), config, [&]() -> Task<int> {
        most = std::max(most, ++busy);
        co_await sleep(milliseconds(1));
        --busy;
        if (left == 0) co_return 0;
        --left;
        co_return 1;
    });
    loop.start();
    play([](WorkLoop& it, int& rest) -> Task<> {
        co_await until([&] { return rest == 0; });
        co_await it.stop();
    }(loop, left));
    EXPECT_EQ(most, 3);
}

TEST_F(Loop, PollsAndManyLanesPollNoMoreThanOne) {
    int passes = 0;
    config.lanes = 4;
    config.poll_interval = [] { return milliseconds(20); };
    WorkLoop loop(io.get_executor(), config, [&]() -> Task<int> {
        ++passes;
        co_return 0;
    });
    loop.start();
    const auto begun = std::chrono::steady_clock::now();
    play([](WorkLoop& it, int& count) -> Task<> {
        co_await until([&] { return count >= 5; });
        co_await it.stop();
    }(loop, passes));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(78));
    EXPECT_LE(passes, 6);
}

TEST_F(Loop, AnOutageIsTwoLinesAndPassesGoOn) {
    const log::Capture capture;
    int passes = 0;
    config.backoff = {milliseconds(1), milliseconds(2)};
    WorkLoop loop(io.get_executor(), config, [&]() -> Task<int> {
        if (++passes <= 4) throw Unavailable("database away");
        co_return 0;
    });
    loop.start();
    play([](WorkLoop& it, int& count) -> Task<> {
        co_await until([&] { return count >= 2 && !it.failing(); });
        co_await it.stop();
    }(loop, passes));
    EXPECT_GE(passes, 5);
    const std::string text(capture.text());
    const auto first = text.find(R"("event":"work_loop_failing","loop":"test")");
    ASSERT_NE(first, std::string::npos);
    EXPECT_EQ(text.find("work_loop_failing", first + 20), std::string::npos);
    EXPECT_THAT(text, HasSubstr(R"("reason":"database away")"));
    EXPECT_THAT(text, HasSubstr(R"("event":"work_loop_recovered")"));
}

TEST_F(Loop, StopLetsTheRunningPassFinishAndCutsBackoffShort) {
    bool finished = false;
    config.lanes = 2;
    config.backoff = {hours(1), hours(1)};
    int passes = 0;
    WorkLoop loop(io.get_executor(), config, [&]() -> Task<int> {
        if (++passes == 2) throw std::runtime_error("broken");
        co_await sleep(milliseconds(10));
        finished = true;
        co_return 1;
    });
    loop.start();
    play([](WorkLoop& it, bool& done) -> Task<> {
        co_await settle();
        EXPECT_FALSE(done);
        co_await it.stop();
        EXPECT_TRUE(done);
        co_await it.stop();
    }(loop, finished));
}

TEST_F(Loop, MayBeStoppedTwiceAtOnceAndStartedAgain) {
    int passes = 0;
    WorkLoop loop(io.get_executor(), config, [&]() -> Task<int> {
        ++passes;
        co_await sleep(milliseconds(3));
        co_return 0;
    });
    loop.start();
    int stopped = 0;
    const auto stop = [](WorkLoop& it, int& count) -> Task<> {
        co_await settle();
        co_await it.stop();
        ++count;
    };
    spawn(io.get_executor(), "stop", stop(loop, stopped));
    play(stop(loop, stopped));
    EXPECT_EQ(stopped, 2);
    EXPECT_EQ(passes, 1);

    io.restart();
    loop.start();
    play(stop(loop, stopped));
    EXPECT_EQ(passes, 2);
}

TEST_F(Loop, StopWaitsForAPassOnlySoLong) {
    bool released = false;
    int passes = 0;
    WorkLoop loop(io.get_executor(), config, [&]() -> Task<int> {
        ++passes;
        co_await until([&] { return released; });
        co_return 1;
    });
    loop.start();
    play([](WorkLoop& it, bool& release) -> Task<> {
        co_await settle();
        EXPECT_FALSE(co_await it.stop(milliseconds(5)));
        release = true;
        EXPECT_TRUE(co_await it.stop());
    }(loop, released));
    EXPECT_EQ(passes, 1);
}

Task<> throws() {
    co_await settle();
    throw Unavailable("gone");
}

Task<> refused() {
    co_await settle();
    throw std::runtime_error("no");
}

TEST(Caught, IsAnErrorWithItsReason) {
    asio::io_context io;
    bool well = false;
    spawn(io.get_executor(), "scenario", [](bool& out) -> Task<> {
        const auto away = co_await caught(throws());
        EXPECT_EQ(away.error().code, ErrorCode::unavailable);
        EXPECT_EQ(away.error().message, "gone");
        EXPECT_EQ((co_await caught(refused())).error().code, ErrorCode::internal);
        out = (co_await caught(settle())).has_value();
    }(well));
    io.run();
    EXPECT_TRUE(well);
}

TEST(Guarded, SaysWhatItSwallowed) {
    const log::Capture capture;
    asio::io_context io;
    bool well = true;
    spawn(io.get_executor(), "scenario", [](bool& out) -> Task<> {
        out = co_await guarded("step_failed", throws()) || !co_await guarded("fine", settle());
    }(well));
    io.run();
    EXPECT_FALSE(well);
    EXPECT_THAT(std::string(capture.text()), HasSubstr(R"("event":"step_failed","reason":"gone")"));
    EXPECT_THAT(std::string(capture.text()), Not(HasSubstr("fine")));
}

}  // namespace
}  // namespace rollcall::jobs
