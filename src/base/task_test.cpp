#include "base/task.hpp"

#include "base/log.hpp"
#include "base/wakeup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <stdexcept>

namespace rollcall {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::HasSubstr;

Task<> fails() {
    co_await sleep(milliseconds(1));
    throw std::runtime_error("no luck");
}

Task<> counts(int& count) {
    co_await sleep(milliseconds(1));
    ++count;
}

TEST(Spawn, LogsWhatLeavesTheTaskAndTheRestGoesOn) {
    const log::Capture capture;
    asio::io_context io;
    int count = 0;
    spawn(io.get_executor(), "doomed", fails());
    spawn(io.get_executor(), "fine", counts(count));
    io.run();
    EXPECT_EQ(count, 1);
    EXPECT_THAT(capture.text(), HasSubstr(R"("event":"task_failed","task":"doomed")"));
    EXPECT_THAT(capture.text(), HasSubstr(R"("reason":"no luck")"));
    EXPECT_THAT(capture.text(), testing::Not(HasSubstr("fine")));
}

Task<> sleeps(bool& returned) {
    co_await sleep(hours(1));
    returned = true;
}

TEST(Sleep, EndsEarlyWhenCancelled) {
    asio::io_context io;
    asio::cancellation_signal signal;
    bool returned = false;
    asio::co_spawn(io.get_executor(), sleeps(returned),
                   asio::bind_cancellation_slot(signal.slot(), [](const std::exception_ptr&) {}));
    asio::post(io, [&] { signal.emit(asio::cancellation_type::terminal); });
    io.run();
    EXPECT_TRUE(returned);
}

Task<> waits(Wakeup& wakeup, Duration limit, std::vector<bool>& results, int times) {
    for (int i = 0; i < times; ++i) {
        const bool woken = co_await wakeup.wait(limit);
        results.push_back(woken);
    }
}

TEST(Wakeup, WakesThePendingWait) {
    asio::io_context io;
    Wakeup wakeup(io.get_executor());
    std::vector<bool> results;
    spawn(io.get_executor(), "waits", waits(wakeup, hours(1), results, 1));
    asio::post(io, [&] { wakeup.wake(); });
    io.run();
    EXPECT_EQ(results, std::vector<bool>{true});
}

TEST(Wakeup, KeepsOneWakeForTheNextWait) {
    asio::io_context io;
    Wakeup wakeup(io.get_executor());
    wakeup.wake();
    wakeup.wake();
    std::vector<bool> results;
    spawn(io.get_executor(), "waits", waits(wakeup, milliseconds(1), results, 2));
    io.run();
    EXPECT_EQ(results, (std::vector<bool>{true, false}));
}

TEST(Wakeup, ForeverIsALimitToo) {
    asio::io_context io;
    Wakeup wakeup(io.get_executor());
    std::vector<bool> results;
    spawn(io.get_executor(), "waits", waits(wakeup, Duration::max(), results, 1));
    asio::post(io, [&] { wakeup.wake(); });
    io.run();
    EXPECT_EQ(results, std::vector<bool>{true});
}

}  // namespace
}  // namespace rollcall
