#include "base/timeout.hpp"

#include <gtest/gtest.h>
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

TEST(WithTimeout, RethrowsAtOnce) {
    EXPECT_THROW(run(with_timeout(fails_after(milliseconds(1)), hours(1))), std::runtime_error);
}

}  // namespace
}  // namespace rollcall
