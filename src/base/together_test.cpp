#include "base/together.hpp"

#include "base/result.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <exception>
#include <string>

namespace rollcall {
namespace {

using namespace std::chrono_literals;

Task<> note(std::string& log, char letter, Duration after) {
    co_await sleep(after);
    log += letter;
}

Task<> break_off(Duration after) {
    co_await sleep(after);
    throw Unavailable("gone");
}

// What all of them came to.
std::string run(std::vector<Task<>> tasks) {
    asio::io_context io;
    std::string ending = "nothing";
    asio::co_spawn(
        io.get_executor(), together(std::move(tasks)),
        [&](const std::exception_ptr& failure) { ending = failure ? "threw" : "ended"; });
    io.run();
    return ending;
}

TEST(Together, TheyRunAtTheSameTime) {
    std::string log;
    std::vector<Task<>> tasks;
    tasks.push_back(note(log, 'b', 20ms));
    tasks.push_back(note(log, 'a', 1ms));
    EXPECT_EQ(run(std::move(tasks)), "ended");
    EXPECT_EQ(log, "ab");
}

TEST(Together, AnExceptionWaitsForTheOthers) {
    std::string log;
    std::vector<Task<>> tasks;
    tasks.push_back(break_off(1ms));
    tasks.push_back(note(log, 'a', 20ms));
    EXPECT_EQ(run(std::move(tasks)), "threw");
    EXPECT_EQ(log, "a");
}

TEST(Together, NoneIsAtOnce) {
    EXPECT_EQ(run({}), "ended");
}

}  // namespace
}  // namespace rollcall
