#include "jobs/queue.hpp"

#include "jobs/metrics.hpp"
#include "jobs/reason.hpp"
#include "jobs/sql.hpp"

#include <algorithm>
#include <expected>
#include <tuple>

namespace rollcall::jobs {
namespace {

using Text = std::optional<std::string_view>;

// How often one call tries again to add an event whose job was removed under its hands.
constexpr int enqueue_rounds_max = 3;

constexpr int tries_at_once = 3;

// One unnest argument: a field of every job.
template <class Element, class Field>
std::vector<Element> column(std::span<const NewJob* const> jobs, Field field) {
    std::vector<Element> values;
    values.reserve(jobs.size());
    for (const NewJob* job : jobs) values.push_back(field(*job));
    return values;
}

void add_content(pg::Params& params, std::span<const NewJob* const> jobs) {
    params.text_array(column<Text>(jobs, [](const NewJob& job) { return job.original_event; }))
        .text_array(column<Text>(jobs, [](const NewJob& job) { return job.subject; }))
        .bigint_array(column<std::optional<std::int64_t>>(
            jobs, [](const NewJob& job) { return job.version; }))
        .boolean_array(
            column<std::optional<bool>>(jobs, [](const NewJob& job) { return job.banned; }))
        .boolean_array(
            column<std::optional<bool>>(jobs, [](const NewJob& job) { return job.locked; }))
        .timestamptz_array(column<std::optional<SystemTime>>(
            jobs, [](const NewJob& job) { return job.clerk_created_at; }))
        .text_array(column<Text>(jobs, [](const NewJob& job) { return job.trace; }));
}

void add_head(pg::Params& params, std::span<const NewJob* const> jobs) {
    params.text_array(column<Text>(jobs, [](const NewJob& job) { return Text(job.kind); }))
        .jsonb_array(column<std::string_view>(jobs, [](const NewJob& job) { return job.payload; }))
        .text_array(column<Text>(
            jobs, [](const NewJob& job) { return Text(job.failed ? "FAILED" : "PENDING"); }))
        .integer_array(column<std::int32_t>(jobs, [](const NewJob& job) { return job.priority; }))
        .text_array(column<Text>(jobs, [](const NewJob& job) { return job.error; }));
}

pg::Params enqueue_params(std::span<const NewJob* const> jobs) {
    pg::Params params;
    params.uuid_array(column<Uuid>(jobs, [](const NewJob& job) { return job.id; }));
    add_head(params, jobs);
    params.text_array(column<Text>(jobs, [](const NewJob& job) { return job.event_id; }));
    add_content(params, jobs);
    return params;
}

pg::Params resend_params(std::span<const NewJob* const> jobs) {
    pg::Params params;
    params.text_array(column<Text>(jobs, [](const NewJob& job) { return job.event_id; }));
    add_head(params, jobs);
    add_content(params, jobs);
    return params;
}

// Where no row at all would be taken, the queue is away. What is in the way of one again and again,
// by the application's own word, is not.
bool means_away(const pg::SqlError& error) {
    return (error.transient() && !error.by_application()) || error.whatever_the_row();
}

std::unexpected<Error> refusal(std::string_view what, const pg::SqlError& error) {
    const ErrorCode code = error.data_error()  ? ErrorCode::invalid_input
                           : means_away(error) ? ErrorCode::unavailable
                                               : ErrorCode::internal;
    return std::unexpected(Error{code, std::string(what) + ": " + reason_of(error)});
}

// Sends again at once what a deadlock or a serialization failure has undone.
Task<std::expected<pg::Rows, pg::SqlError>> execute_at_once(pg::Pool& pool,
                                                            const pg::Statement& statement,
                                                            const pg::Params& params) {
    for (int tries = 1;; ++tries) {
        auto rows = co_await pool.try_execute(statement, params);
        if (rows || !rows.error().transient() || tries == tries_at_once) co_return rows;
    }
}

// A call's jobs in the order of their event ids, each event once: two calls at the same time lock
// in the same order. `place[i]` is where job i of the call went.
struct Batch {
    std::vector<const NewJob*> jobs;
    std::vector<std::size_t> place;
    std::vector<bool> repeated;  // by job of the call

    explicit Batch(std::span<const NewJob> call) : place(call.size()), repeated(call.size()) {
        std::vector<std::size_t> order(call.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
            return std::tie(call[a].event_id, a) < std::tie(call[b].event_id, b);
        });
        jobs.reserve(call.size());
        for (const std::size_t i : order) {
            const NewJob& job = call[i];
            repeated[i] = job.event_id && !jobs.empty() && jobs.back()->event_id == job.event_id;
            if (!repeated[i]) jobs.push_back(&job);
            place[i] = jobs.size() - 1;
        }
    }
};

// What every end of an attempt names first.
pg::Params attempt_params(const Job& job) {
    pg::Params params;
    params.text(job.id).bigint(job.fence).bigint(job.version);
    return params;
}

Job read_job(const pg::Rows& rows, int row) {
    Job job;
    job.id = rows.text(row, rows.column("id"));
    job.kind = rows.text(row, rows.column("job_type"));
    job.payload = rows.text(row, rows.column("payload"));
    job.subject = rows.text(row, rows.column("subject"));
    job.event_id = rows.text(row, rows.column("event_id"));
    job.attempt = static_cast<int>(rows.bigint(row, rows.column("attempts")));
    const int limit = rows.column("max_attempts");
    job.attempts_max = rows.is_null(row, limit) ? 0 : static_cast<int>(rows.bigint(row, limit));
    const int version = rows.column("version");
    if (!rows.is_null(row, version)) job.version = rows.bigint(row, version);
    job.fence = rows.bigint(row, rows.column("fence"));
    if (const auto event = rows.maybe(row, rows.column("original_event"))) {
        job.original_event = std::string(*event);
    }
    if (const auto trace = rows.maybe(row, rows.column("trace"))) job.trace = *trace;
    job.age = std::chrono::milliseconds(rows.bigint(row, rows.column("age_ms")));
    job.waited = std::chrono::milliseconds(rows.bigint(row, rows.column("waited_ms")));
    return job;
}

std::vector<int> priorities_of(const pg::Rows& rows) {
    std::vector<int> out;
    out.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
        out.push_back(static_cast<int>(rows.bigint(row, 0)));
    }
    return out;
}

ClaimPosition position_of(const pg::Rows& rows, int row) {
    return {.priority = static_cast<int>(rows.bigint(row, rows.column("priority"))),
            .at_us = rows.bigint(row, rows.column("due_us")),
            .id = std::string(rows.text(row, rows.column("id")))};
}

pg::Params claim_params(std::string_view worker, int limit, std::chrono::milliseconds lease,
                        std::span<const std::string_view> kinds, const ClaimCursor& cursor,
                        ClaimCursor::Reach reach) {
    std::vector<ClaimPosition> reached;
    for (const int priority : cursor.priorities()) {
        reached.push_back(cursor.position(priority, reach));
    }
    std::vector<std::int32_t> priorities;
    std::vector<std::optional<std::int64_t>> times;
    std::vector<Text> ids;
    for (const ClaimPosition& position : reached) {
        priorities.push_back(position.priority);
        times.push_back(position.at_us);
        ids.emplace_back(position.id);
    }
    pg::Params params;
    params.text(worker).integer(limit).bigint(lease.count());
    params.integer_array(priorities).bigint_array(times).text_array(ids);
    params.text_array(std::vector<Text>(kinds.begin(), kinds.end()));
    return params;
}

}  // namespace

std::string_view queue_of(Lane lane) {
    return lane == Lane::mirror ? queue_mirror : queue_effects;
}

JobQueue::JobQueue(pg::Pool& pool, Lane lane) : pool_(pool), lane_(lane) {}

Task<Result<std::vector<Enqueued>>> JobQueue::enqueue(std::span<const NewJob> call) {
    const Batch batch(call);
    std::vector<Enqueued> stored(batch.jobs.size());  // by place; id "" while not known
    std::vector<std::size_t> open(batch.jobs.size());
    for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;

    for (int round = 0; round < enqueue_rounds_max && !open.empty(); ++round) {
        std::vector<const NewJob*> jobs;
        jobs.reserve(open.size());
        for (const std::size_t i : open) jobs.push_back(batch.jobs[i]);
        const auto added = co_await insert(jobs);
        if (!added) co_return refusal("enqueue", added.error());

        std::vector<std::string_view> fresh;  // sorted as `open` is, whatever the server's order
        const bool all = added->size() == static_cast<int>(jobs.size());
        for (int row = 0; !all && row < added->size(); ++row) {
            if (!added->is_null(row, 0)) fresh.push_back(added->text(row, 0));
        }
        std::ranges::sort(fresh);
        std::vector<std::size_t> known;
        for (const std::size_t i : open) {
            const NewJob& job = *batch.jobs[i];
            if (all || !job.event_id || std::ranges::binary_search(fresh, *job.event_id)) {
                stored[i].id = to_string(job.id);
            } else {
                known.push_back(i);
            }
        }
        auto missing = co_await resend(batch.jobs, std::move(known), stored);
        if (!missing) co_return std::unexpected(std::move(missing.error()));
        open = std::move(*missing);
    }
    if (!open.empty()) {
        co_return fail(ErrorCode::unavailable, "enqueue: an event comes and goes");
    }

    if (auto asked = co_await refresh(call); !asked) {
        co_return std::unexpected(std::move(asked.error()));
    }

    std::vector<Enqueued> answers;
    answers.reserve(call.size());
    for (std::size_t i = 0; i < call.size(); ++i) {
        Enqueued answer = stored[batch.place[i]];
        answer.duplicate = answer.duplicate || batch.repeated[i];
        answers.push_back(std::move(answer));
    }
    co_return answers;
}

// The hottest statement alone; those that arrived before are dated back in the same commit.
Task<std::expected<pg::Rows, pg::SqlError>> JobQueue::insert(std::span<const NewJob* const> jobs) {
    std::vector<Uuid> ids;
    std::vector<std::optional<SystemTime>> times;
    for (const NewJob* job : jobs) {
        if (!job->arrived_at) continue;
        ids.push_back(job->id);
        times.push_back(job->arrived_at);
    }
    if (ids.empty()) co_return co_await execute_at_once(pool_, sql::enqueue, enqueue_params(jobs));
    std::vector<pg::Pool::Step> steps;
    steps.push_back({&sql::enqueue, enqueue_params(jobs)});
    steps.push_back({&sql::date_back, pg::Params().uuid_array(ids).timestamptz_array(times)});
    auto rows = co_await pool_.try_execute_together(std::move(steps));
    if (!rows) co_return std::unexpected(std::move(rows.error()));
    co_return std::move(rows->front());
}

// The event itself is kept, for a person, whatever becomes of this: an id that the database cannot
// hold is that of no user, and what it refuses of one user must not be missing for the others.
Task<Result<void>> JobQueue::refresh(std::span<const NewJob> jobs) {
    std::vector<Text> users;
    std::vector<Text> events;
    std::vector<Text> traces;
    for (const NewJob& job : jobs) {
        if (!job.failed || !job.refresh) continue;
        users.push_back(job.refresh);
        events.push_back(job.event_id);
        traces.push_back(job.trace);
    }
    if (users.empty()) co_return Result<void>();
    pg::Params params;
    params.text_array(users).text_array(events).text_array(traces);
    const auto asked = co_await execute_at_once(pool_, sql::refresh, params);
    if (asked) co_return Result<void>();
    if (means_away(asked.error())) {
        co_return fail(ErrorCode::unavailable, "refresh: " + reason_of(asked.error()));
    }
    for (std::size_t i = 0; users.size() > 1 && i < jobs.size(); ++i) {
        if (auto one = co_await refresh(jobs.subspan(i, 1)); !one) co_return one;
    }
    co_return Result<void>();
}

// Finds the jobs of known events, sets FAILED ones going again, and returns which are not there.
Task<Result<std::vector<std::size_t>>> JobQueue::resend(std::span<const NewJob* const> jobs,
                                                        std::vector<std::size_t> known,
                                                        std::vector<Enqueued>& stored) {
    if (known.empty()) co_return known;
    std::vector<const NewJob*> delivered;
    delivered.reserve(known.size());
    for (const std::size_t i : known) delivered.push_back(jobs[i]);
    const auto rows = co_await execute_at_once(pool_, sql::resend, resend_params(delivered));
    if (!rows) co_return refusal("enqueue", rows.error());

    const int id = rows->column("id");
    const int event = rows->column("event_id");
    std::erase_if(known, [&](std::size_t i) {
        for (int row = 0; row < rows->size(); ++row) {
            if (rows->text(row, event) != *jobs[i]->event_id) continue;
            stored[i] = {.id = std::string(rows->text(row, id)), .duplicate = true};
            return true;
        }
        return false;
    });
    co_return known;
}

Task<std::vector<Job>> JobQueue::claim(std::string_view worker, int limit,
                                       std::chrono::milliseconds lease,
                                       std::span<const std::string_view> kinds) {
    ensure(limit > 0 && lease.count() > 0, "claim: limit and lease above 0");
    ClaimPass pass(cursor_);
    const auto begun = std::chrono::steady_clock::now();
    if (pass.reach() == ClaimCursor::Reach::head) {
        cursor_.add_priorities(priorities_of(co_await pool_.execute(
            lane_ == Lane::mirror ? sql::mirror_priorities : sql::leased_priorities)));
    }
    const pg::Rows rows =
        co_await pool_.execute(lane_ == Lane::mirror ? sql::claim_mirror : sql::claim,
                               claim_params(worker, limit, lease, kinds, cursor_, pass.reach()));
    const bool full = rows.size() == limit;
    std::vector<Job> jobs;
    jobs.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
        jobs.push_back(read_job(rows, row));
        const ClaimPosition here = position_of(rows, row);
        const bool last = row + 1 == rows.size();
        if (last || position_of(rows, row + 1).priority != here.priority) {
            cursor_.claimed(here, pass.reach(), full && last);
        }
    }
    pass.done(full, std::chrono::steady_clock::now() - begun);
    co_return jobs;
}

Task<std::vector<std::string>> JobQueue::renew(std::span<const Job> jobs,
                                               std::chrono::milliseconds lease) {
    std::vector<Text> ids;
    std::vector<std::optional<std::int64_t>> fences;
    for (const Job& job : jobs) {
        ids.emplace_back(job.id);
        fences.emplace_back(job.fence);
    }
    pg::Params params;
    params.text_array(ids).bigint_array(fences).bigint(lease.count());
    const pg::Rows rows = co_await pool_.execute(sql::renew, params);
    std::vector<std::string> lost;
    for (const Job& job : jobs) {
        bool held = false;
        for (int row = 0; row < rows.size() && !held; ++row) held = rows.text(row, 0) == job.id;
        if (!held) lost.push_back(job.id);
    }
    co_return lost;
}

Task<Result<Recorded>> JobQueue::end(const pg::Statement& statement, const pg::Params& params,
                                     const Job& job) {
    const auto told = co_await execute_at_once(pool_, statement, params);
    if (!told) co_return refusal(statement.name, told.error());
    if (told->affected() > 0) co_return Recorded::as_told;
    const auto again = co_await execute_at_once(pool_, sql::again, attempt_params(job));
    if (!again) co_return refusal(sql::again.name, again.error());
    if (again->affected() > 0) co_return Recorded::again;
    co_return fail(ErrorCode::conflict, "job " + job.id + " is not this worker's any more");
}

Task<Result<Recorded>> JobQueue::complete(const Job& job, std::string_view result_json) {
    pg::Params params = attempt_params(job);
    params.text(result_json.empty() ? Text() : Text(result_json));
    co_return co_await end(sql::complete, params, job);
}

Task<Result<Recorded>> JobQueue::retry(const Job& job, std::chrono::milliseconds delay,
                                       std::string_view reason, bool burns_attempt) {
    pg::Params params = attempt_params(job);
    params.bigint(delay.count()).text(clean_reason(reason)).integer(burns_attempt ? 0 : 1);
    co_return co_await end(sql::retry, params, job);
}

Task<Result<Recorded>> JobQueue::bury(const Job& job, std::string_view reason) {
    pg::Params params = attempt_params(job);
    params.text(clean_reason(reason));
    co_return co_await end(sql::bury, params, job);
}

Task<int> JobQueue::release(std::string_view worker) {
    pg::Params params;
    params.text(worker);
    const pg::Rows rows = co_await pool_.execute(sql::release, params);
    co_return static_cast<int>(rows.affected());
}

}  // namespace rollcall::jobs
