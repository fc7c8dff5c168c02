// Works off the jobs that reach outside the database. Each is leased (PROCESSING) while its handler
// runs; the lease is renewed meanwhile, and a job whose worker dies is due again when it lapses,
// its attempt counted. So a handler may see a job twice and must be idempotent. An end that comes
// after the job went to another worker (or was cancelled) is refused and dropped. The kinds
// USER_CREATED, USER_UPDATED and USER_DELETED are not leased and never come here.
#pragma once

#include "base/random.hpp"
#include "base/task.hpp"
#include "jobs/job.hpp"
#include "jobs/metrics.hpp"
#include "jobs/outcome.hpp"
#include "jobs/queue.hpp"
#include "jobs/retry_policy.hpp"
#include "jobs/work_loop.hpp"

#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <string>

namespace rollcall::jobs {

// Throwing Unavailable is a Retry that burns no attempt (see RetryPolicy::outage), any other
// exception one that does.
using Handler = std::function<Task<Outcome>(const Job&)>;

struct WorkerConfig {
    std::string name;   // unique among all running workers of a database: worker_name()
    int capacity = 16;  // handlers at once
    std::chrono::milliseconds lease = std::chrono::seconds(15);  // renewed every third of it
    // How many more jobs are worth beginning now, asked before each claim; at most what `capacity`
    // leaves free is claimed. For a neighbour that takes no more, or is away: what waits for it is
    // not claimed only to be put off.
    std::function<int()> room = [] { return std::numeric_limits<int>::max(); };
    // Told of each job whose end was refused: it was another's by then, or cancelled, and what its
    // handler did outside may have come after what the other did.
    std::function<Task<>(const Job&)> on_lost = [](const Job& /*job*/) -> Task<> { co_return; };
    RetryPolicy retry;
    std::function<Duration()> poll_interval = [] { return std::chrono::seconds(1); };
};

// host:pid:random
[[nodiscard]] std::string worker_name(Random& random);

class Worker {
public:
    // All references must outlive the worker.
    Worker(Executor executor, JobQueue& queue, WorkerConfig config, Metrics& metrics);
    // stop() must have returned with 0, or the event loop must not run any more.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Before start(). Jobs of a kind that has no handler here are left to other processes.
    void handle(std::string kind, Handler handler);

    void start();
    void wake();
    // Claims no more, lets handlers run up to `grace`, then gives the leases of the rest back: due
    // now, their attempt not counted. Returns how many handlers still run (their ends will be
    // refused).
    Task<int> stop(std::chrono::milliseconds grace);

    // Works off what is due now, started or not, and returns how many jobs this call claimed: when
    // nothing is due and nothing runs any more, or after `limit`, when some may still run.
    Task<int> run_due(std::chrono::milliseconds limit);

    // Whether the lease of `job`, which runs here, lasts for at least `margin` more: counted from
    // before it was asked for, by the clock of this machine. For a handler, before each step
    // outside that must not come late; `margin` is how long that step may take. More than about
    // half the lease it cannot be, or there are times when no job is held.
    [[nodiscard]] bool holds(const Job& job, std::chrono::milliseconds margin = {}) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace rollcall::jobs
