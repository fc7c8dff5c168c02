#include "sync/apply_user.hpp"

#include "base/claim_cursor.hpp"
#include "base/log.hpp"
#include "sync/asking_jobs.hpp"
#include "sync/refusal.hpp"
#include "sync/single_job.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rollcall::sync {

using directory::AppliedBatch;
using directory::AppliedJob;
using directory::Outcome;
using Seconds = std::chrono::duration<double>;

namespace {

// How often jobs are looked for whose time has come.
constexpr std::chrono::milliseconds scheduled_interval{200};
constexpr int attempts_at_once = 3;  // at a batch that met another one

jobs::Metrics::Ending ending_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::applied:
        case Outcome::deleted:
            return jobs::Metrics::Ending::ok;
        case Outcome::superseded:
            return jobs::Metrics::Ending::superseded;
        case Outcome::unusable:
            return jobs::Metrics::Ending::dead;
        case Outcome::unchanged:
        case Outcome::tie:
        case Outcome::conflict:
            break;
    }
    return jobs::Metrics::Ending::noop;
}

SteadyTime steady_now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

struct ApplyUser::State {
    State(Executor e, pg::Pool& p, directory::Directory& d, clerk::BackendApi* c,
          jobs::RetryPolicy r, ApplyConfig a, jobs::Metrics& m)
        : pool(p),
          directory(d),
          retry(r),
          config(a),
          metrics(m),
          single(p, d, c, retry, a.hold, m),
          asking(e, {}, [this](std::string id) { return ask(std::move(id)); }) {}

    Task<int> work_off_due();
    Task<int> work_off_scheduled();
    // One claim: how many jobs it took; those that want handling alone go to `alone`.
    Task<int> claim_due(int priority, ClaimCursor::Reach reach, std::vector<std::string>& alone);
    // The batch was refused: rethrows where every other one would be, too.
    void stand_still(std::string reason);
    void go_on();
    Task<> judge_batch(const pg::SqlError& error);
    Task<> handle_alone(const std::vector<std::string>& ids);
    Task<> ask(std::string id);  // handles a job that has to ask Clerk
    void record(const AppliedBatch& batch, Duration took, std::vector<std::string>& alone);
    void report(const AppliedBatch& batch);
    SingleJob::Report reporter() {
        return [this](const AppliedBatch& batch) { report(batch); };
    }

    pg::Pool& pool;
    directory::Directory& directory;
    jobs::RetryPolicy retry;
    ApplyConfig config;
    jobs::Metrics& metrics;
    SingleJob single;
    AskingJobs asking;
    bool stopping = false;
    ChangeObserver observer;
    ClaimCursor cursor;
    SteadyTime next_scheduled{};
    double last_applied_at = 0;                        // by the database, in seconds since 1970
    std::string standstill;                            // why the table takes no change at all
    Duration per_job{std::chrono::microseconds(100)};  // a moving average
};

namespace {

// What one statement took beyond the work on its jobs.
Duration overhead(Duration took, int count, Duration per_job) {
    return std::max(Duration::zero(), took - per_job * (count + count / 2));
}

}  // namespace

void ApplyUser::State::report(const AppliedBatch& batch) {
    for (int i = 0; i < batch.size(); ++i) {
        const AppliedJob job = batch[i];
        if (job.outcome == Outcome::conflict) continue;
        if (job.outcome == Outcome::applied) last_applied_at = batch.now();
        metrics.ended(job.kind, ending_of(job.outcome), job.attempts);
        metrics.waited(jobs::queue_users, Seconds(std::max(0.0, batch.now() - job.ready_at)));
        if (job.outcome == Outcome::applied || job.outcome == Outcome::deleted) {
            const double event_at = static_cast<double>(job.version) / 1000.0;
            metrics.end_to_end(job.kind, Seconds(std::max(0.0, batch.now() - event_at)));
        }
        if (observer) observer(job.kind, job.clerk_id, job.outcome);
    }
}

void ApplyUser::State::record(const AppliedBatch& batch, Duration took,
                              std::vector<std::string>& alone) {
    const int count = batch.size();
    if (count == 0) return;
    metrics.claimed(jobs::queue_users, took, count);
    report(batch);
    for (int i = 0; i < count; ++i) {
        if (batch[i].outcome == Outcome::conflict) alone.emplace_back(batch[i].id);
    }
}

void ApplyUser::State::stand_still(std::string reason) {
    if (standstill.empty()) log::error("users_table_takes_no_change", {{"reason", reason}});
    standstill = std::move(reason);
    metrics.users_table_takes_no_change(true);
}

void ApplyUser::State::go_on() {
    if (standstill.empty()) return;
    standstill.clear();
    metrics.users_table_takes_no_change(false);
    log::info("users_table_takes_changes_again");
}

Task<> ApplyUser::State::judge_batch(const pg::SqlError& error) {
    const Refusal refusal = judge(error);
    if (refusal == Refusal::server) pg::rethrow(error);
    if (refusal == Refusal::undecided) {
        const auto probed = co_await directory.probe(pool);
        if (!probed) stand_still(reason_of(probed.error()));
        if (!probed) pg::rethrow(probed.error());
    }
    log::warn("apply_batch_refused", {{"sqlstate", error.sqlstate()}});
}

Task<> ApplyUser::State::handle_alone(const std::vector<std::string>& ids) {
    std::vector<std::pair<std::string, pg::SqlError>> undecided;
    for (const std::string& id : ids) {
        if (stopping) break;
        if (asking.has(id)) continue;
        const auto tried = co_await single.run(id, Asking::later, reporter());
        if (!tried) {
            undecided.emplace_back(id, tried.error());
        } else if (*tried == Handled::must_ask) {
            asking.add(id);
        }
    }
    // After all of them: whether others go through is what decides.
    for (const auto& [id, refusal] : undecided) {
        co_await single.charge(id, refusal, last_applied_at);
    }
}

Task<> ApplyUser::State::ask(std::string id) {
    const auto tried = co_await single.run(id, Asking::now, reporter());
    if (!tried) co_await single.charge(id, tried.error(), last_applied_at);
}

Task<int> ApplyUser::State::claim_due(int priority, ClaimCursor::Reach reach,
                                      std::vector<std::string>& alone) {
    const auto position = cursor.position(priority, reach);
    for (int attempt = 1;; ++attempt) {
        const SteadyTime began = steady_now();
        const auto batch = co_await directory.apply_due(pool, position);
        const Duration took = steady_now() - began;
        if (batch) {
            const bool full = batch->size() >= config.batch;
            if (const auto last = batch->last(priority)) cursor.claimed(*last, reach, full);
            if (reach == ClaimCursor::Reach::onward && full) {
                per_job = (per_job * 7 + took / batch->size()) / 8;
            }
            record(*batch, took, alone);
            co_return batch->size();
        }
        const pg::SqlError& error = batch.error();
        if (error.transient() && attempt < attempts_at_once) continue;
        co_await judge_batch(error);
        cursor.reset();
        const auto ids = co_await directory.due_ids(pool, position);
        alone.insert(alone.end(), ids.begin(), ids.end());
        co_return static_cast<int>(ids.size());
    }
}

Task<int> ApplyUser::State::work_off_due() {
    ClaimPass pass(cursor);
    const SteadyTime began = steady_now();
    if (pass.reach() == ClaimCursor::Reach::head) {
        cursor.add_priorities(co_await directory.priorities(pool));
    }
    int total = 0;
    bool full = false;
    std::vector<std::string> alone;
    const std::vector<int> priorities = cursor.priorities();
    for (const int priority : priorities) {
        const int count = co_await claim_due(priority, pass.reach(), alone);
        total += count;
        full = count >= config.batch;
        if (full) break;  // the higher priority first
    }
    pass.done(full, overhead(steady_now() - began, total, per_job));
    co_await handle_alone(alone);
    co_return total;
}

Task<int> ApplyUser::State::work_off_scheduled() {
    const SteadyTime now = steady_now();
    if (now < next_scheduled) co_return 0;
    next_scheduled = now + scheduled_interval;
    const auto batch = co_await directory.apply_scheduled(pool);
    std::vector<std::string> alone;
    int count = 0;
    if (batch) {
        record(*batch, steady_now() - now, alone);
        count = batch->size();
        if (count >= config.batch) next_scheduled = now;
    } else {
        co_await judge_batch(batch.error());
        alone = co_await directory.scheduled_ids(pool);
        count = static_cast<int>(alone.size());
    }
    co_await handle_alone(alone);
    co_return count;
}

ApplyUser::ApplyUser(Executor executor, pg::Pool& pool, directory::Directory& directory,
                     clerk::BackendApi* clerk, jobs::RetryPolicy retry, ApplyConfig config,
                     jobs::Metrics& metrics)
    : state_(std::make_unique<State>(executor, pool, directory, clerk, retry, config, metrics)) {}

ApplyUser::~ApplyUser() = default;

void ApplyUser::observe(ChangeObserver observer) {
    state_->observer = std::move(observer);
}

const std::string& ApplyUser::standstill() const {
    return state_->standstill;
}

bool ApplyUser::asking() const {
    return !state_->asking.idle();
}

Task<bool> ApplyUser::asked(Duration limit) {
    co_return co_await state_->asking.ended(limit);
}

void ApplyUser::stop() {
    state_->stopping = true;
    state_->asking.stop();
}

Task<int> ApplyUser::run_once() {
    const int scheduled = co_await state_->work_off_scheduled();
    const int due = co_await state_->work_off_due();
    state_->go_on();
    co_return scheduled + due;
}

}  // namespace rollcall::sync
