// Jobs that have to ask Clerk before they can go on, beside the lanes that work off the queue:
// however long Clerk takes, nobody else waits. A bounded number is under way and a bounded number
// waits; what does not fit is due again in half a minute (SingleJob sets it aside). One event loop
// only.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "base/wakeup.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace rollcall::sync {

struct AskingConfig {
    int at_once = 4;
    std::size_t waiting_max = 1'000;
};

class AskingJobs {
public:
    using Work = std::function<Task<>(std::string id)>;

    // `work` may throw: what waits is let go then, for the database is away. This must outlive what
    // it began: idle() says when.
    AskingJobs(Executor executor, AskingConfig config, Work work)
        : executor_(executor), config_(config), work_(std::move(work)) {}

    // Nothing when the job is here already, when too many wait, or after stop().
    void add(const std::string& id);
    [[nodiscard]] bool has(const std::string& id) const { return known_.contains(id); }
    [[nodiscard]] bool idle() const { return known_.empty(); }

    void stop();  // begins no more
    // Waits until nothing waits or runs; false when `limit` passed first.
    Task<bool> ended(Duration limit);

private:
    Task<> run();
    void drop_waiting();

    Executor executor_;
    AskingConfig config_;
    Work work_;
    std::deque<std::string> waiting_;
    std::set<std::string, std::less<>> known_;  // those that wait and those under way
    int running_ = 0;
    bool stopping_ = false;
    std::vector<Wakeup*> watchers_;  // calls of ended()
};

}  // namespace rollcall::sync
