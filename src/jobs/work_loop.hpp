// Runs a pass over some work again and again: at once while there is more, when woken, and every
// poll interval otherwise. One of the places where exceptions end: while the database (or whatever
// the pass needs) is away the lanes wait with growing, jittered delays, and an outage is two log
// lines, "work_loop_failing" and "work_loop_recovered". One event loop only.
#pragma once

#include "base/backoff.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/task.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace rollcall::jobs {

struct WorkLoopConfig {
    std::string name;  // in log lines
    int lanes = 1;     // passes that may run at once
    // A pass that did at least this much says that there is more: it runs again at once, and
    // another idle lane joins in. Less means that it saw the end of the queue.
    int full_pass = 1;
    // After a pass that did at least `steady`, but saw the end of the queue, the next one begins no
    // sooner than `gather` after that one began: what comes steadily is done in batches that are
    // worth a transaction, while a lone job waits for nothing.
    int steady = 8;
    Duration gather = Duration::zero();
    // Asked before each idle wait. A second when wake-ups reach this process (LISTEN, or all work
    // is enqueued here); what is configured when they may not.
    std::function<Duration()> poll_interval = [] { return std::chrono::seconds(1); };
    // Bounds how long after an outage work goes on. While the database is away a pass costs
    // nothing: the pool knows, and does not ask anew for each.
    Backoff backoff{std::chrono::milliseconds(200), std::chrono::seconds(1)};
    prometheus::Gauge* busy = nullptr;  // lanes inside a pass
};

class WorkLoop {
public:
    // Does what there is to do, a batch at most, and returns how much that was.
    using Pass = std::function<Task<int>()>;

    WorkLoop(Executor executor, WorkLoopConfig config, Pass pass);
    // stop() must have returned true, or the event loop must not run any more.
    ~WorkLoop();
    WorkLoop(const WorkLoop&) = delete;
    WorkLoop& operator=(const WorkLoop&) = delete;

    void start();  // nothing when it runs
    // There may be work. While a pass runs, one more follows it, so that a burst of wake-ups makes
    // large batches instead of many small ones.
    void wake();
    // Begins no more passes and returns true when those that run have ended; it may be started
    // again then. False when they have not within `limit`.
    Task<bool> stop(Duration limit = Duration::max());

    [[nodiscard]] bool failing() const;  // the last pass of some lane threw

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Awaits `task`; what it throws becomes an error with the reason: `unavailable` where something is
// away, else `internal`. For work whose failure goes on record, whatever it is.
Task<Result<void>> caught(Task<> task);
// As caught(); the error becomes a warning named `event`, and false. For steps that must not stop
// what they are part of.
Task<bool> guarded(std::string_view event, Task<> task);

}  // namespace rollcall::jobs
