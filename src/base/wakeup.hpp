// One waiter, many wakers: `wake()` makes the pending or the next `wait()` return at once. Wake-ups
// that come while nobody waits are kept as one. Same event loop only.
#pragma once

#include "base/task.hpp"

namespace rollcall {

class Wakeup {
public:
    explicit Wakeup(Executor executor);
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    void wake();

    // Returns true when woken, false when `limit` passed first.
    Task<bool> wait(Duration limit);

private:
    SteadyTimer timer_;
    bool woken_ = false;
};

}  // namespace rollcall
