// Begins each pass when it is due (schedule.hpp). Of all instances on one database one has that
// duty (lease "schedule"); when it dies, another takes over when the lease lapses. A pass runs
// beside the loop that keeps the duty, and when the next is due comes from what the database
// remembers and from its clock: a restart, a failed pass or a clock that jumps loses none. Who
// takes the duty begins with the pass that a stop cut short. One event loop.
#pragma once

#include "base/task.hpp"
#include "pg/pool.hpp"
#include "sync/reconciler.hpp"
#include "sync/schedule.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace rollcall::sync {

struct SchedulerConfig {
    std::string holder;  // unique among instances
    ScheduleConfig schedule;
    std::chrono::milliseconds lease{std::chrono::seconds(15)};
    // How long what was read of the schedule counts: for passes that others run, and the clock.
    std::chrono::milliseconds look_again{std::chrono::minutes(1)};
    // Told when this instance takes the duty or loses it. What it throws ends nothing.
    std::function<Task<>(bool has_duty)> on_duty;
};

class Scheduler {
public:
    // All references must outlive this.
    Scheduler(Executor executor, pg::Pool& pool, Reconciler& reconciler, SchedulerConfig config);
    // stop() must have returned true, or the event loop must not run any more.
    ~Scheduler();
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    void start();
    // Begins no more, interrupts the pass that it has begun (another goes on from there) and gives
    // the duty back. False when that pass has not ended within `limit`.
    Task<bool> stop(Duration limit);

    [[nodiscard]] bool has_duty() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace rollcall::sync
