#include "http/pacer.hpp"

#include "base/timeout.hpp"
#include "http/loopback_test.hpp"

#include <gmock/gmock.h>

namespace rollcall::http {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class PacerTest : public LoopbackTest {
protected:
    // One call that waits for its turn; `order_` says who went, negative who was refused.
    void call(Pacer& pacer, int name, std::chrono::milliseconds patience = 5s) {
        asio::co_spawn(io_, pacer.turn(real_clock().steady() + patience),
                       [this, name](const std::exception_ptr& thrown, const Result<void>& turn) {
                           order_.push_back(!thrown && turn ? name : -name);
                       });
    }
    void wait_for(std::size_t count) {
        run_until([&] { return order_.size() >= count; });
    }

    std::vector<int> order_;
};

TEST_F(PacerTest, FirstComeFirstServedAtTheRate) {
    Pacer pacer(io_.get_executor(), {.per_second = 20, .burst = 2});
    const SteadyTime start = real_clock().steady();
    for (int name = 1; name <= 6; ++name) call(pacer, name);
    wait_for(6);
    EXPECT_THAT(order_, ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_GE(real_clock().steady() - start, 195ms);
    EXPECT_EQ(pacer.waiting(), 0U);
}

TEST_F(PacerTest, NobodyOvertakesWhoWaits) {
    Pacer pacer(io_.get_executor(), {.per_second = 10, .burst = 1});
    call(pacer, 1);
    call(pacer, 2);
    wait_for(1);
    const SteadyTime until = real_clock().steady() + 120ms;  // the second token is there by then
    while (real_clock().steady() < until) {
    }
    call(pacer, 3);
    wait_for(3);
    EXPECT_THAT(order_, ElementsAre(1, 2, 3));
}

TEST_F(PacerTest, AHoldIsForThoseToWhoWaitAlready) {
    Pacer pacer(io_.get_executor(), {.per_second = 100, .burst = 1});
    const SteadyTime start = real_clock().steady();
    call(pacer, 1);
    call(pacer, 2);
    wait_for(1);
    pacer.hold_until(start + 300ms);
    call(pacer, 3);
    wait_for(3);
    EXPECT_THAT(order_, ElementsAre(1, 2, 3));
    EXPECT_GE(real_clock().steady() - start, 300ms);
}

TEST_F(PacerTest, WhoWouldBeTooLateIsToldAtOnce) {
    Pacer pacer(io_.get_executor(), {.per_second = 1, .burst = 1});
    call(pacer, 1);
    call(pacer, 2, 300ms);
    wait_for(2);
    EXPECT_THAT(order_, ElementsAre(1, -2));
    pacer.hold_until(real_clock().steady() + 1h);
    const auto turn = run(pacer.turn(real_clock().steady() + 1min));
    ASSERT_FALSE(turn);
    EXPECT_EQ(turn.error().code, ErrorCode::rate_limited);
}

TEST_F(PacerTest, TheLineIsBounded) {
    Pacer pacer(io_.get_executor(), {.per_second = 20, .burst = 1}, 2);
    for (int name = 1; name <= 4; ++name) call(pacer, name);
    wait_for(4);
    EXPECT_THAT(order_, ElementsAre(1, -4, 2, 3));
}

TEST_F(PacerTest, WhoIsCancelledLeavesTheLine) {
    Pacer pacer(io_.get_executor(), {.per_second = 5, .burst = 1});
    call(pacer, 1);
    wait_for(1);
    bool cut = false;
    asio::co_spawn(io_, with_timeout(pacer.turn(real_clock().steady() + 5s), 50ms),
                   [&](const std::exception_ptr&, const auto& turn) { cut = !turn.has_value(); });
    run_until([&] { return pacer.waiting() == 1; });
    call(pacer, 2);
    run_until([&] { return cut; });
    EXPECT_EQ(pacer.waiting(), 1U);
    wait_for(2);
    EXPECT_THAT(order_, ElementsAre(1, 2));
}

TEST_F(PacerTest, MayGoBeforeThoseWhoWait) {
    {
        Pacer pacer(io_.get_executor(), {.per_second = 20, .burst = 1});
        call(pacer, 1);
        call(pacer, 2);
        wait_for(1);
    }
    wait_for(2);
    EXPECT_THAT(order_, ElementsAre(1, 2));
}

}  // namespace
}  // namespace rollcall::http
