#include "sync/apply_user.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"
#include "jobs/reason.hpp"
#include "sync/claim_cursor.hpp"
#include "sync/single_job.hpp"
#include "sync/sql.hpp"

#include <string>
#include <utility>
#include <vector>

namespace rollcall::sync {
namespace {

using directory::Outcome;
using Ending = jobs::Metrics::Ending;

// Retries get their turn even while fresh changes come in without a pause.
constexpr Duration scheduled_interval = std::chrono::milliseconds(250);
// A batch that lost against another transaction is tried again at once, so often.
constexpr int transient_tries_max = 5;

Ending ending_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::applied:
        case Outcome::deleted:
            return Ending::ok;
        case Outcome::unchanged:
        case Outcome::tie:
            return Ending::noop;
        case Outcome::superseded:
            return Ending::superseded;
        case Outcome::conflict:
            return Ending::retry;
        case Outcome::unusable:
            return Ending::dead;
    }
    return Ending::ok;
}

}  // namespace

struct ApplyUser::State {
    using Batch = directory::Answer<directory::AppliedBatch>;
    using ApplyBatch = std::function<Task<Batch>()>;
    using ListIds = std::function<Task<std::vector<std::string>>()>;

    State(pg::Pool& given_pool, directory::Directory& given_directory,
          clerk::BackendApi* given_clerk, jobs::RetryPolicy retry, jobs::Metrics& given_metrics)
        : pool(given_pool),
          directory(given_directory),
          metrics(given_metrics),
          single(given_pool, given_directory, given_clerk, retry) {}

    Task<> look();
    Task<int> work_due();
    Task<int> work_scheduled();
    Task<int> work(const ApplyBatch& apply, const ListIds& ids, std::optional<int> priority);
    Task<int> work_one_by_one(std::vector<std::string> ids);
    Task<> work_alone(std::string id);
    void record(const directory::AppliedBatch& batch);

    pg::Pool& pool;
    directory::Directory& directory;
    jobs::Metrics& metrics;
    SingleJob single;
    ClaimCursor cursor;
    SteadyTime next_scheduled{};
    ChangeObserver observer;
};

// Which priorities have work, from the head of the queue.
Task<> ApplyUser::State::look() {
    const SteadyTime started = real_clock().steady();
    const pg::Rows rows = co_await pool.execute(sql::levels);
    std::vector<int> priorities;
    for (int row = 0; row < rows.size(); ++row) {
        priorities.push_back(static_cast<int>(rows.bigint(row, 0)));
    }
    const SteadyTime now = real_clock().steady();
    cursor.looked(priorities, now - started, now);
}

// A batch of the highest priority that has one. Before it says that there is none it has looked
// from the head: a wake-up that came meanwhile was for a job that is seen there.
Task<int> ApplyUser::State::work_due() {
    bool looked = false;
    for (;;) {
        if (cursor.positions().empty() || cursor.look_due(real_clock().steady())) {
            co_await look();
            looked = true;
        }
        const std::vector<directory::ClaimPosition> positions = cursor.positions();
        for (const directory::ClaimPosition& after : positions) {
            const int worked = co_await work(
                [this, &after] { return directory.apply_due(pool, after); },
                [this, &after] { return directory.due_ids(pool, after); }, after.priority);
            if (worked > 0) co_return worked;
            cursor.exhausted(after.priority);
        }
        if (looked) co_return 0;
    }
}

Task<int> ApplyUser::State::work_scheduled() {
    next_scheduled = real_clock().steady() + scheduled_interval;
    co_return co_await work([this] { return directory.apply_scheduled(pool); },
                            [this] { return directory.scheduled_ids(pool); }, std::nullopt);
}

Task<int> ApplyUser::State::work(const ApplyBatch& apply, const ListIds& ids,
                                 std::optional<int> priority) {
    for (int tries = 1;; ++tries) {
        const SteadyTime started = real_clock().steady();
        const Batch batch = co_await apply();
        if (!batch) {
            if (batch.error().transient() && tries < transient_tries_max) continue;
            // One of the jobs is to blame: each on its own, so that only that one suffers.
            log::warn("batch_refused", {{"sqlstate", batch.error().sqlstate()},
                                        {"reason", jobs::reason_of(batch.error())}});
            co_return co_await work_one_by_one(co_await ids());
        }
        if (batch->size() == 0) co_return 0;
        metrics.claimed(jobs::queue_users, real_clock().steady() - started, batch->size());
        if (priority) {
            if (const auto last = batch->last(*priority)) cursor.advance(*last);
        }
        record(*batch);
        for (int i = 0; i < batch->size(); ++i) {
            const directory::AppliedJob job = (*batch)[i];
            if (job.outcome == Outcome::conflict) co_await work_alone(std::string(job.id));
        }
        co_return batch->size();
    }
}

Task<int> ApplyUser::State::work_one_by_one(std::vector<std::string> ids) {
    for (const std::string& id : ids) co_await work_alone(id);
    co_return static_cast<int>(ids.size());
}

Task<> ApplyUser::State::work_alone(std::string id) {
    const SingleJob::Result result =
        co_await single.work(id, [this](const directory::AppliedBatch& batch) { record(batch); });
    switch (result.ending) {
        case SingleJob::Ending::applied:
        case SingleJob::Ending::gone:
            break;
        case SingleJob::Ending::put_off:
            metrics.ended(result.kind, Ending::retry, result.attempts);
            log::info("job_put_off", {{"job_id", id}, {"kind", result.kind}});
            break;
        case SingleJob::Ending::given_up:
            metrics.ended(result.kind, Ending::dead, result.attempts);
            log::warn("job_failed", {{"job_id", id}, {"kind", result.kind}});
            break;
        case SingleJob::Ending::superseded:
            metrics.ended(result.kind, Ending::superseded, result.attempts);
            break;
    }
}

void ApplyUser::State::record(const directory::AppliedBatch& batch) {
    for (int i = 0; i < batch.size(); ++i) {
        const directory::AppliedJob job = batch[i];
        // It is worked alone next, and counted then.
        if (job.outcome == Outcome::conflict) continue;
        metrics.ended(job.kind, ending_of(job.outcome), job.attempts);
        metrics.waited(jobs::queue_users,
                       jobs::Metrics::Seconds(std::max(0.0, batch.now() - job.ready_at)));
        const double event_time = static_cast<double>(job.version) / 1000.0;
        metrics.end_to_end(job.kind,
                           jobs::Metrics::Seconds(std::max(0.0, batch.now() - event_time)));
        if (observer) observer(job.kind, job.clerk_id, job.outcome);
    }
}

ApplyUser::ApplyUser(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi* clerk,
                     jobs::RetryPolicy retry, ApplyConfig, jobs::Metrics& metrics)
    : state_(std::make_unique<State>(pool, directory, clerk, retry, metrics)) {}

ApplyUser::~ApplyUser() = default;

Task<int> ApplyUser::run_once() {
    if (real_clock().steady() >= state_->next_scheduled) {
        if (const int worked = co_await state_->work_scheduled(); worked > 0) co_return worked;
    }
    if (const int worked = co_await state_->work_due(); worked > 0) co_return worked;
    co_return co_await state_->work_scheduled();
}

void ApplyUser::observe(ChangeObserver observer) {
    state_->observer = std::move(observer);
}

}  // namespace rollcall::sync
