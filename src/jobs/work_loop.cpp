#include "jobs/work_loop.hpp"

#include "base/log.hpp"
#include "base/wakeup.hpp"
#include "jobs/reason.hpp"

#include <boost/asio/redirect_error.hpp>
#include <utility>
#include <vector>

namespace rollcall::jobs {

using Steady = std::chrono::steady_clock;

struct WorkLoop::State {
    struct Lane {
        explicit Lane(Executor executor) : wakeup(executor), timer(executor) {}
        Wakeup wakeup;
        SteadyTimer timer;  // of its pause before the next pass
        bool idle = false;
    };

    State(Executor e, WorkLoopConfig c, Pass p)
        : executor(e), config(std::move(c)), pass(std::move(p)) {}

    Task<> run(Lane& lane);
    Task<bool> wait_for_work(Lane& lane);
    Task<> gather(Lane& lane);
    static Task<> pause(Lane& lane, Duration time);
    Task<std::optional<int>> attempt();
    void failed(std::string reason);
    void wake_one_idle();

    Executor executor;
    WorkLoopConfig config;
    Pass pass;
    std::vector<std::unique_ptr<Lane>> lanes;
    std::vector<Wakeup*> stops;  // calls of stop() that wait for the last lane to end
    Random random;

    int running = 0;    // lanes
    int busy = 0;       // lanes inside a pass
    int gathering = 0;  // lanes that are about to begin one
    int last_done = 0;  // by the pass that ended last
    bool stopping = false;
    bool again = false;  // woken while a pass ran
    Steady::time_point last_pass = Steady::time_point::min();

    int failures = 0;  // in a row
    std::string failure;
    Steady::time_point failing_since;
};

// True when the lane should run a pass now; false: look again (or stop).
Task<bool> WorkLoop::State::wait_for_work(Lane& lane) {
    if (again) co_return true;
    // The interval is the loop's, not each lane's: many idle lanes do not poll more often.
    const Duration interval = bounded(config.poll_interval());
    const auto due = last_pass == Steady::time_point::min() ? Steady::now() : last_pass + interval;
    lane.idle = true;
    const bool woken = co_await lane.wakeup.wait(due - Steady::now());
    lane.idle = false;
    co_return !stopping && (woken || again || Steady::now() >= last_pass + interval);
}

Task<> WorkLoop::State::gather(Lane& lane) {
    if (last_done < config.steady) co_return;
    const Duration left = last_pass + config.gather - Steady::now();
    if (left <= Duration::zero()) co_return;
    ++gathering;
    co_await pause(lane, left);
    --gathering;
}

// stop() ends it early.
Task<> WorkLoop::State::pause(Lane& lane, Duration time) {
    lane.timer.expires_after(time);
    boost::system::error_code cut_short;
    co_await lane.timer.async_wait(asio::redirect_error(use_task, cut_short));
}

Task<> WorkLoop::State::run(Lane& lane) {
    bool more = false;
    while (!stopping) {
        if (!more) {
            if (!co_await wait_for_work(lane)) continue;
            co_await gather(lane);
            if (stopping) break;
        }
        again = false;
        last_pass = Steady::now();
        ++busy;
        if (config.busy != nullptr) config.busy->Increment();
        const std::optional<int> done = co_await attempt();
        if (config.busy != nullptr) config.busy->Decrement();
        --busy;
        last_done = done.value_or(0);
        more = !done || *done >= config.full_pass;
        if (!done && !stopping) {
            co_await pause(lane, backoff_delay(config.backoff, std::max(failures - 1, 0), random));
        } else if (more) {
            wake_one_idle();
        }
    }
    if (--running > 0) co_return;
    for (Wakeup* stop : stops) stop->wake();
}

// The periodic loop's seam: whatever a pass throws ends here.
Task<std::optional<int>> WorkLoop::State::attempt() {
    try {
        const int done = co_await pass();
        if (failures > 0) {
            const std::chrono::duration<double> lasted = Steady::now() - failing_since;
            log::info("work_loop_recovered",
                      {{"loop", config.name}, {"after_seconds", lasted.count()}});
            failures = 0;
            failure.clear();
        }
        co_return done;
    } catch (const std::exception& error) {
        failed(reason_of(error));
    }
    co_return std::nullopt;
}

void WorkLoop::State::failed(std::string reason) {
    if (failures++ == 0) failing_since = Steady::now();
    if (reason == failure) return;
    log::warn("work_loop_failing", {{"loop", config.name}, {"reason", reason}});
    failure = std::move(reason);
}

void WorkLoop::State::wake_one_idle() {
    for (const auto& lane : lanes) {
        if (!lane->idle) continue;
        lane->wakeup.wake();
        return;
    }
    again = true;
}

WorkLoop::WorkLoop(Executor executor, WorkLoopConfig config, Pass pass)
    : state_(std::make_unique<State>(executor, std::move(config), std::move(pass))) {
    ensure(state_->config.lanes > 0, "work loop: at least one lane");
    for (int i = 0; i < state_->config.lanes; ++i) {
        state_->lanes.push_back(std::make_unique<State::Lane>(executor));
    }
}

WorkLoop::~WorkLoop() = default;

void WorkLoop::start() {
    if (state_->running > 0) return;
    state_->stopping = false;
    state_->last_pass = Steady::time_point::min();
    state_->running = state_->config.lanes;
    for (const auto& lane : state_->lanes) {
        spawn(state_->executor, state_->config.name, state_->run(*lane));
    }
}

void WorkLoop::wake() {
    if (state_->busy > 0) {
        state_->again = true;
    } else if (state_->gathering == 0) {
        state_->wake_one_idle();
    }
}

Task<bool> WorkLoop::stop(Duration limit) {
    State& state = *state_;
    state.stopping = true;
    for (const auto& lane : state.lanes) {
        lane->wakeup.wake();
        lane->timer.cancel();
    }
    const auto deadline = Steady::now() + bounded(limit);
    Wakeup ended(state.executor);
    state.stops.push_back(&ended);
    while (state.running > 0 && co_await ended.wait(deadline - Steady::now())) {
    }
    std::erase(state.stops, &ended);
    co_return state.running == 0;
}

bool WorkLoop::failing() const {
    return state_->failures > 0;
}

Task<Result<void>> caught(Task<> task) {
    try {
        co_await std::move(task);
        co_return Result<void>();
    } catch (const Unavailable& away) {
        co_return fail(ErrorCode::unavailable, reason_of(away));
    } catch (const std::exception& failure) {
        co_return fail(ErrorCode::internal, reason_of(failure));
    }
}

Task<bool> guarded(std::string_view event, Task<> task) {
    const auto done = co_await caught(std::move(task));
    if (!done) log::warn(event, {{"reason", done.error().message}});
    co_return done.has_value();
}

}  // namespace rollcall::jobs
