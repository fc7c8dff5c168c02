#include "sync/scheduler.hpp"

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/wakeup.hpp"
#include "jobs/lease.hpp"
#include "jobs/work_loop.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace rollcall::sync {

using Steady = std::chrono::steady_clock;

namespace {

// After a pass that could not begin, another being under way or the database away.
constexpr std::chrono::seconds busy_pause{5};

}  // namespace

struct Scheduler::State {
    State(Executor given_executor, pg::Pool& pool, Reconciler& r, SchedulerConfig given);

    Task<int> pass();
    [[nodiscard]] Duration until_next() const;
    Task<> keep_duty();
    Task<> tell(bool has_duty);
    Task<> look();
    void begin();
    Task<> go();
    Task<> attempt();

    Executor executor;
    Reconciler& reconciler;
    SchedulerConfig config;
    jobs::Lease lease;
    Random random;

    bool on_duty = false;
    bool looked = false;  // since the duty was taken
    bool stopping = false;
    bool under_way = false;  // a pass that was begun here
    Wakeup ended;            // that one

    Steady::time_point renew_at;
    Steady::time_point look_at;
    // What was decided, and on which pass before. While that stays the last one the time is only
    // ever brought forward: a clock that was set back does not put it off again and again.
    std::optional<Steady::time_point> due_at;
    std::optional<SystemTime> decided_after;
    double chance = 0;
    NextRun next;

    jobs::WorkLoop loop;
};

Scheduler::State::State(Executor given_executor, pg::Pool& pool, Reconciler& r,
                        SchedulerConfig given)
    : executor(given_executor),
      reconciler(r),
      config(std::move(given)),
      lease(pool, "schedule", config.holder, config.lease),
      ended(executor),
      loop(executor, {.name = "schedule", .poll_interval = [this] { return until_next(); }},
           [this] { return pass(); }) {
    ensure(config.schedule.interval.count() > 0 && config.look_again.count() > 0,
           "scheduler: intervals");
}

Duration Scheduler::State::until_next() const {
    auto at = renew_at;
    if (on_duty && !under_way) at = std::min({at, look_at, due_at.value_or(look_at)});
    return std::max<Duration>(at - Steady::now(), std::chrono::milliseconds(1));
}

Task<> Scheduler::State::tell(bool has_duty) {
    on_duty = has_duty;
    log::info(has_duty ? "schedule_duty_taken" : "schedule_duty_lost", {{"fence", lease.fence()}});
    if (config.on_duty) co_await jobs::guarded("duty_not_shown", config.on_duty(has_duty));
}

Task<> Scheduler::State::keep_duty() {
    if (Steady::now() < renew_at) co_return;
    const bool held = co_await lease.hold();
    renew_at = Steady::now() + config.lease / 3;
    if (held == on_duty) co_return;
    looked = false;
    due_at.reset();
    look_at = Steady::now();
    co_await tell(held);
}

Task<> Scheduler::State::look() {
    const SyncState known = co_await reconciler.runs().state();
    const auto now = Steady::now();
    look_at = now + config.look_again;
    if (!due_at || known.last_started_at != decided_after) {
        decided_after = known.last_started_at;
        chance = random.fraction();
        due_at.reset();
    }
    next = looked ? next_run(known, config.schedule, chance)
                  : first_run(known, config.schedule, chance);
    looked = true;
    due_at = std::min(due_at.value_or(now + next.wait), now + next.wait);
}

Task<int> Scheduler::State::pass() {
    co_await keep_duty();
    if (!on_duty || !lease.held() || under_way) co_return 0;
    const auto due = [this] { return due_at && Steady::now() >= *due_at; };
    if (Steady::now() >= look_at || due()) co_await look();
    if (due() && !stopping) begin();
    co_return 0;
}

void Scheduler::State::begin() {
    under_way = true;
    due_at.reset();
    spawn(executor, "scheduled_pass", go());
}

Task<> Scheduler::State::go() {
    look_at = Steady::now() + busy_pause;
    co_await jobs::guarded("scheduled_pass_broken", attempt());
    under_way = false;
    ended.wake();
    loop.wake();
}

Task<> Scheduler::State::attempt() {
    if (stopping) co_return;
    const auto summary = co_await reconciler.run({.mode = next.mode, .trigger = next.trigger});
    if (summary) {
        look_at = Steady::now();
    } else {
        log::debug("scheduled_pass_put_off", {{"reason", summary.error().message}});
    }
}

Scheduler::Scheduler(Executor executor, pg::Pool& pool, Reconciler& reconciler,
                     SchedulerConfig config)
    : state_(std::make_unique<State>(executor, pool, reconciler, std::move(config))) {}
Scheduler::~Scheduler() = default;

void Scheduler::start() {
    state_->stopping = false;
    state_->loop.start();
}

Task<bool> Scheduler::stop(Duration limit) {
    State& state = *state_;
    const auto deadline = Steady::now() + bounded(limit);
    state.stopping = true;
    if (state.under_way) state.reconciler.interrupt();
    const bool stopped = co_await state.loop.stop(limit);
    while (state.under_way && Steady::now() < deadline) {
        co_await state.ended.wait(deadline - Steady::now());
    }
    if (!stopped || state.under_way) co_return false;
    if (state.on_duty) co_await state.tell(false);
    co_await jobs::guarded("schedule_duty_not_released", state.lease.release());
    co_return true;
}

bool Scheduler::has_duty() const {
    return state_->on_duty;
}

}  // namespace rollcall::sync
