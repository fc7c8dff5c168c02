#include "admin/loop_lag.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/post.hpp>

namespace rollcall::admin {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(LoopLag, SeesAHandlerThatKeepsTheLoop) {
    asio::io_context io;
    MetricsRegistry registry;
    LoopLag lag(io.get_executor(), registry, 1ms);
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_event_loop_lag_seconds_count 0"));
    lag.start();
    asio::post(io, [] {
        const auto until = std::chrono::steady_clock::now() + 60ms;
        while (std::chrono::steady_clock::now() < until) {
        }
    });
    io.run_one_for(1s);  // the handler
    io.run_one_for(1s);  // the timer
    const auto page = registry.render();
    EXPECT_THAT(page, HasSubstr("rollcall_event_loop_lag_seconds_count 1"));
    EXPECT_THAT(page, HasSubstr("rollcall_event_loop_lag_seconds_bucket{le=\"0.05\"} 0"));
    lag.stop();
    io.restart();
    io.run_for(10s);
    EXPECT_TRUE(io.stopped());  // nothing is left to do
}

}  // namespace
}  // namespace rollcall::admin
