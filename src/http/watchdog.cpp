#include "http/watchdog.hpp"

#include <utility>

namespace rollcall::http {

struct Watchdog::State : std::enable_shared_from_this<State> {
    State(Executor executor, std::function<void()> when_over)
        : timer(executor), bite(std::move(when_over)) {}

    void wait_until(SteadyTime time) {
        waits_until = time;
        timer.expires_at(time);
        timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
            if (!error) self->look();
        });
    }
    void look() {
        waits_until = SteadyTime::max();
        if (!bite || deadline == SteadyTime::max()) return;
        if (real_clock().steady() < deadline) return wait_until(deadline);
        bitten = true;
        std::exchange(bite, nullptr)();
    }

    SteadyTimer timer;
    std::function<void()> bite;
    SteadyTime deadline = SteadyTime::max();
    SteadyTime waits_until = SteadyTime::max();  // not later than the deadline
    bool bitten = false;
};

Watchdog::Watchdog(Executor executor, std::function<void()> bite)
    : state_(std::make_shared<State>(executor, std::move(bite))) {}

Watchdog::~Watchdog() {
    state_->bite = nullptr;
    state_->timer.cancel();
}

void Watchdog::within(Duration limit) {
    state_->deadline = real_clock().steady() + bounded(limit);
    if (state_->deadline < state_->waits_until) state_->wait_until(state_->deadline);
}

void Watchdog::off() {
    state_->deadline = SteadyTime::max();
}

bool Watchdog::has_bitten() const {
    return state_->bitten;
}

}  // namespace rollcall::http
