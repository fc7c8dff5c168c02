// Ends what hangs: calls `bite` once a limit has passed that was neither moved nor called off.
// Moving it costs no timer, so it may be moved for every piece of a body. One event loop.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"

#include <functional>
#include <memory>

namespace rollcall::http {

class Watchdog {
public:
    // `bite` is not called after the destructor.
    Watchdog(Executor executor, std::function<void()> bite);
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    // From now on.
    void within(Duration limit);
    void off();
    [[nodiscard]] bool has_bitten() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace rollcall::http
