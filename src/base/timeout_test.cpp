#include "base/timeout.hpp"

#include <gtest/gtest.h>
#include <boost/asio/detached.hpp>
#include <stdexcept>
#include <string>

namespace rollcall {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

Task<std::string> after(Duration delay, std::string value, bool& ended) {
    co_await sleep(delay);
    ended = true;
    co_return value;
}

Task<std::string> fails_after(Duration delay) {
    co_await sleep(delay);
    throw std::runtime_error("no luck");
}

template <class T>
T run(Task<T> task) {
    asio::io_context io;
    std::exception_ptr failure;
    std::optional<T> result;
    asio::co_spawn(io.get_executor(), std::move(task), [&](std::exception_ptr error, T value) {
        failure = error;
        result = std::move(value);
    });
    io.run();
    if (failure) std::rethrow_exception(failure);
    return std::move(*result);
}

TEST(WithTimeout, GivesTheValueInTime) {
    bool ended = false;
    EXPECT_EQ(run(with_timeout(after(milliseconds(1), "value", ended), hours(1))), "value");
    EXPECT_TRUE(ended);
}

TEST(WithTimeout, GivesNothingWhenTimeIsUpAndEndsTheTask) {
    bool ended = false;
    EXPECT_EQ(run(with_timeout(after(hours(1), "value", ended), milliseconds(1))), std::nullopt);
    EXPECT_TRUE(ended);  // cancelled, not left behind
}

TEST(WithEnd, GivesNothingOnceTheTimerWasEnded) {
    asio::io_context io;
    SteadyTimer end(io.get_executor());
    end.expires_at(SteadyTimer::time_point::max());
    bool ended = false;
    std::optional<std::string> value = "unset";
    const auto wait = [&]() -> Task<> {
        value = co_await with_end(after(hours(1), "value", ended), end);
    };
    asio::co_spawn(io, wait, asio::detached);
    io.poll();
    EXPECT_EQ(value, "unset");
    end.expires_at(SteadyTimer::time_point::min());
    io.run();
    EXPECT_EQ(value, std::nullopt);
    EXPECT_TRUE(ended);
    // And from then on at once.
    value = "unset";
    asio::co_spawn(io, wait, asio::detached);
    io.restart();
    io.run();
    EXPECT_EQ(value, std::nullopt);
}

TEST(WithTimeout, RethrowsAtOnce) {
    EXPECT_THROW(run(with_timeout(fails_after(milliseconds(1)), hours(1))), std::runtime_error);
}

}  // namespace
}  // namespace rollcall
