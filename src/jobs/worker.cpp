#include "jobs/worker.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/wakeup.hpp"
#include "jobs/job_trace.hpp"
#include "jobs/reason.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <boost/asio/ip/host_name.hpp>
#include <boost/asio/redirect_error.hpp>
#include <limits>
#include <map>
#include <utility>
#include <vector>

namespace rollcall::jobs {

using Steady = std::chrono::steady_clock;

namespace {

// Between two tries to record how an attempt ended, while the database is away.
constexpr Backoff record_backoff{std::chrono::milliseconds(100), std::chrono::seconds(2)};

}  // namespace

std::string worker_name(Random& random) {
    boost::system::error_code unknown;
    const std::string host = asio::ip::host_name(unknown);
    return fmt::format("{}:{}:{:08x}", unknown ? "localhost" : host, getpid(),
                       random.next() & 0xFFFFFFFFU);
}

struct Worker::State {
    State(Executor e, JobQueue& q, WorkerConfig c, Metrics& m);

    Task<int> claim();
    void run(Job job, Steady::time_point until);
    Task<> attempt(Job job);
    Task<Outcome> handle(const Job& job);
    Task<> record(const Job& job, const Outcome& outcome);
    Task<> record_once(const Job& job, const Outcome& outcome, Result<Recorded>& recorded);
    void account(const Job& job, const Outcome& outcome, Recorded recorded);
    Task<> keep_leases();
    Task<> renew();
    Task<> release(int& released);
    void one_ended();
    Task<bool> wait_for_end(Steady::time_point deadline);

    // A job that runs here, and until when its lease lasts at least.
    struct Running {
        Job job;
        Steady::time_point until;
    };

    Executor executor;
    JobQueue& queue;
    std::string_view queue_name;
    WorkerConfig config;
    Metrics& metrics;
    Random random;
    std::map<std::string, Handler, std::less<>> handlers;
    std::map<std::string, Running> running;  // by id
    bool keeping = false;                    // keep_leases() runs
    std::vector<Wakeup*> waiting;            // for a job, or keep_leases(), to end
    SteadyTimer beat;
    WorkLoop loop;
};

Worker::State::State(Executor e, JobQueue& q, WorkerConfig c, Metrics& m)
    : executor(e),
      queue(q),
      queue_name(queue_of(q.lane())),
      config(std::move(c)),
      metrics(m),
      beat(e),
      loop(e,
           {.name = "worker",
            .full_pass = std::numeric_limits<int>::max(),  // a job that ends wakes the loop
            .poll_interval = config.poll_interval},
           [this] { return claim(); }) {
    ensure(!config.name.empty() && config.capacity > 0 && config.lease.count() >= 3,
           "worker: name, capacity and lease");
    metrics.workers(queue_name).Set(config.capacity);
}

// Claims what fits beside the jobs that run, and starts it.
Task<int> Worker::State::claim() {
    const int room = std::min(config.capacity - static_cast<int>(running.size()), config.room());
    if (room <= 0) co_return 0;
    const auto begun = Steady::now();
    std::vector<std::string_view> kinds;
    kinds.reserve(handlers.size());
    for (const auto& [kind, handler] : handlers) kinds.push_back(kind);
    std::vector<Job> jobs = co_await queue.claim(config.name, room, config.lease, kinds);
    if (!jobs.empty()) failpoint("worker.after_claim");
    metrics.claimed(queue_name, Steady::now() - begun, static_cast<int>(jobs.size()));
    const int count = static_cast<int>(jobs.size());
    for (Job& job : jobs) {
        metrics.waited(queue_name, job.waited);
        run(std::move(job), begun + config.lease);
    }
    co_return count;
}

void Worker::State::run(Job job, Steady::time_point until) {
    running.insert_or_assign(job.id, Running{job, until});
    metrics.workers_busy(queue_name).Set(static_cast<double>(running.size()));
    spawn(executor, "job", attempt(std::move(job)));
    if (!std::exchange(keeping, true)) spawn(executor, "job_leases", keep_leases());
}

Task<> Worker::State::attempt(Job job) {
    const auto begun = Steady::now();
    Outcome outcome = resolve(co_await handle(job), job, config.retry, random);
    metrics.ran(job.kind, Steady::now() - begun);
    failpoint("worker.before_end");
    co_await record(job, outcome);
    failpoint("worker.after_end");
    // The same job may have been claimed here again meanwhile, under another fence.
    const auto mine = running.find(job.id);
    if (mine != running.end() && mine->second.job.fence == job.fence) running.erase(mine);
    metrics.workers_busy(queue_name).Set(static_cast<double>(running.size()));
    if (running.empty()) beat.cancel();
    one_ended();
    loop.wake();
}

// The worker's seam: what a handler throws ends here.
Task<Outcome> Worker::State::handle(const Job& job) {
    const auto handler = handlers.find(job.kind);
    ensure(handler != handlers.end(), "worker: claimed what nobody handles");
    Retry retry;
    try {
        co_return co_await handler->second(job);
    } catch (const Unavailable& away) {
        retry = {.reason = reason_of(away), .delay = {}, .burns_attempt = false};
    } catch (const std::exception& failure) {
        retry.reason = reason_of(failure);
        log::error("job_handler_threw",
                   {{"kind", kind_label(job.kind)}, {"job_id", job.id}, {"reason", retry.reason}});
    }
    co_return retry;
}

// Writes the end down, however long the database is away: the job may be another's by then, and
// what was done here last must be known. An end that it cannot take is tried for as long as a lease
// lasts; after that the job will be run again, which is what handlers are made for.
Task<> Worker::State::record(const Job& job, const Outcome& outcome) {
    const auto give_up = Steady::now() + config.lease;
    bool lost = false;
    for (int tries = 0;; ++tries) {
        Result<Recorded> recorded = Recorded::as_told;
        if (lost) {
            if (co_await guarded("job_loss_not_told", config.on_lost(job))) co_return;
        } else if (co_await guarded("job_end_not_recorded", record_once(job, outcome, recorded))) {
            if (recorded) {
                account(job, outcome, *recorded);
                co_return;
            }
            log::warn("job_end_refused", {{"job_id", job.id},
                                          {"kind", kind_label(job.kind)},
                                          {"attempt", job.attempt},
                                          {"reason", recorded.error().message}});
            lost = recorded.error().code == ErrorCode::conflict;
            if (lost) continue;
            if (Steady::now() >= give_up) co_return;
        }
        co_await sleep(backoff_delay(record_backoff, tries, random));
    }
}

Task<> Worker::State::record_once(const Job& job, const Outcome& outcome,
                                  Result<Recorded>& recorded) {
    if (const auto* completed = std::get_if<Completed>(&outcome)) {
        recorded = co_await queue.complete(job, completed->result_json);
        if (!recorded && recorded.error().code == ErrorCode::invalid_input) {
            recorded = co_await queue.bury(job, "the handler's result is not JSON");
        }
    } else if (const auto* retry = std::get_if<Retry>(&outcome)) {
        recorded = co_await queue.retry(job, *retry->delay, retry->reason, retry->burns_attempt);
    } else {
        recorded = co_await queue.bury(job, std::get<Failed>(outcome).reason);
    }
}

void Worker::State::account(const Job& job, const Outcome& outcome, Recorded recorded) {
    const auto kind = kind_label(job.kind);
    const std::string trace_id = trace_of(job).trace_id();
    if (recorded == Recorded::again) {
        metrics.ended(kind, Metrics::Ending::superseded, job.attempt);
        log::debug(
            "job_again",
            {{"job_id", job.id}, {"kind", kind}, {"attempt", job.attempt}, {"trace_id", trace_id}});
    } else if (std::holds_alternative<Completed>(outcome)) {
        metrics.ended(kind, Metrics::Ending::ok, job.attempt);
        log::debug(
            "job_completed",
            {{"job_id", job.id}, {"kind", kind}, {"attempt", job.attempt}, {"trace_id", trace_id}});
    } else if (const auto* retry = std::get_if<Retry>(&outcome)) {
        metrics.ended(kind, Metrics::Ending::retry, job.attempt);
        log::info("job_retried", {{"job_id", job.id},
                                  {"kind", kind},
                                  {"attempt", job.attempt},
                                  {"trace_id", trace_id},
                                  {"delay_ms", retry->delay->count()},
                                  {"reason", retry->reason}});
    } else {
        metrics.ended(kind, Metrics::Ending::dead, job.attempt);
        log::warn("job_failed", {{"job_id", job.id},
                                 {"kind", kind},
                                 {"attempt", job.attempt},
                                 {"trace_id", trace_id},
                                 {"reason", std::get<Failed>(outcome).reason}});
    }
}

Task<> Worker::State::keep_leases() {
    while (!running.empty()) {
        beat.expires_after(config.lease / 3);
        boost::system::error_code cut_short;
        co_await beat.async_wait(asio::redirect_error(use_task, cut_short));
        if (!running.empty()) co_await guarded("job_leases_not_renewed", renew());
    }
    keeping = false;
    one_ended();
}

Task<> Worker::State::renew() {
    std::vector<Job> held;
    held.reserve(running.size());
    for (const auto& [id, mine] : running) held.push_back(mine.job);
    const auto asked = Steady::now();
    const auto lost = co_await queue.renew(held, config.lease);
    for (const Job& job : held) {
        const auto mine = running.find(job.id);
        if (mine == running.end() || mine->second.job.fence != job.fence) continue;
        const bool kept = std::ranges::find(lost, job.id) == lost.end();
        mine->second.until = kept ? asked + config.lease : asked;
        if (!kept) log::info("job_lease_lost", {{"job_id", job.id}});
    }
}

Task<> Worker::State::release(int& released) {
    released = co_await queue.release(config.name);
}

void Worker::State::one_ended() {
    for (Wakeup* waiter : waiting) waiter->wake();
}

// Until some job ends; false when the deadline came first.
Task<bool> Worker::State::wait_for_end(Steady::time_point deadline) {
    Wakeup ended(executor);
    waiting.push_back(&ended);
    const bool woken = co_await ended.wait(deadline - Steady::now());
    std::erase(waiting, &ended);
    co_return woken;
}

Worker::Worker(Executor executor, JobQueue& queue, WorkerConfig config, Metrics& metrics)
    : state_(std::make_unique<State>(executor, queue, std::move(config), metrics)) {}

Worker::~Worker() = default;

void Worker::handle(std::string kind, Handler handler) {
    ensure(queue_of(kind) == state_->queue_name, "worker: a kind of another lane");
    const bool added = state_->handlers.emplace(std::move(kind), std::move(handler)).second;
    ensure(added, "worker: one handler a kind");
}

void Worker::start() {
    state_->loop.start();
}

void Worker::wake() {
    state_->loop.wake();
}

Task<int> Worker::stop(std::chrono::milliseconds grace) {
    State& state = *state_;
    const auto deadline = Steady::now() + grace;
    co_await state.loop.stop(grace);
    while (!state.running.empty() || state.keeping) {
        if (!co_await state.wait_for_end(deadline)) break;
    }
    const int left = static_cast<int>(state.running.size());
    if (left > 0) {
        for (auto& [id, mine] : state.running) mine.until = Steady::now();
        int released = 0;  // as it stays while the database is away: the leases lapse then
        co_await guarded("job_leases_not_released", state.release(released));
        log::warn("worker_stopped_early", {{"running", left}, {"released", released}});
    }
    co_return left;
}

bool Worker::holds(const Job& job, std::chrono::milliseconds margin) const {
    const auto mine = state_->running.find(job.id);
    return mine != state_->running.end() && mine->second.job.fence == job.fence &&
           Steady::now() + margin < mine->second.until;
}

Task<int> Worker::run_due(std::chrono::milliseconds limit) {
    State& state = *state_;
    const auto deadline = Steady::now() + limit;
    int claimed = 0;
    while (Steady::now() < deadline) {
        const int found = co_await state.claim();
        claimed += found;
        if (found == 0 && state.running.empty()) break;
        if (found == 0) co_await state.wait_for_end(deadline);
    }
    co_return claimed;
}

}  // namespace rollcall::jobs
