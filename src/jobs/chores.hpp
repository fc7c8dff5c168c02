// Housekeeping of `job_queue`, by one instance at a time (lease "chores"): makes jobs whose lease
// lapsed due again, removes finished ones after their retention, blanks personal data after its own
// and soon after a user is deleted, and samples the depth of the queue. Jobs of kinds that are not
// rollcall's are the application's, and left alone by all of it. Every step is a short
// statement over a bounded part of the table, repeatable at any time, and skips rows that somebody
// else holds. No index serves them alone: the sweep walks the table's pages in order.
#pragma once

#include "base/task.hpp"
#include "jobs/lease.hpp"
#include "jobs/metrics.hpp"
#include "jobs/work_loop.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace rollcall::jobs {

struct ChoresConfig {
    std::string holder;  // unique among instances: worker_name()
    std::chrono::milliseconds lease = std::chrono::seconds(15);
    int attempts_max = 10;  // as the workers' retry policy has it

    std::chrono::milliseconds rescue_interval = std::chrono::seconds(5);
    std::chrono::milliseconds sample_interval = std::chrono::seconds(10);
    // A sweep walks the whole table, in pieces. One begins every `sweep_interval`, and within
    // `deleted_interval` when a user was deleted since the last one.
    std::chrono::milliseconds sweep_interval = std::chrono::hours(1);
    std::chrono::milliseconds deleted_interval = std::chrono::seconds(30);
    int sweep_pages = 128;  // of the table, in one statement

    // How long a finished job stays.
    std::chrono::milliseconds keep_completed = std::chrono::days(30);
    std::chrono::milliseconds keep_cancelled = std::chrono::days(30);
    std::chrono::milliseconds keep_failed = std::chrono::days(90);
    // How long it keeps e-mail, name and the event's bytes.
    std::chrono::milliseconds keep_personal_completed = std::chrono::days(7);
    std::chrono::milliseconds keep_personal_failed = std::chrono::days(30);  // CANCELLED too
};

class Chores {
public:
    // `pool` and `metrics` must outlive the chores.
    Chores(Executor executor, pg::Pool& pool, ChoresConfig config, Metrics& metrics);
    ~Chores();
    Chores(const Chores&) = delete;
    Chores& operator=(const Chores&) = delete;

    void start();
    Task<> stop();  // gives the lease back

    // One run of each, whoever holds the lease: for start-up, the shell and tests.
    Task<int> rescue();  // jobs made due again or given up
    struct Swept {
        std::int64_t pruned = 0;
        std::int64_t blanked = 0;
    };
    Task<Swept> sweep();  // over the whole table
    Task<> sample();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace rollcall::jobs
