#include "jobs/queue.hpp"

#include "jobs/reason.hpp"
#include "jobs/sql.hpp"

#include <algorithm>
#include <tuple>

namespace rollcall::jobs {
namespace {

using Text = std::optional<std::string_view>;

// How often one call tries again to add an event whose job was removed under its hands.
constexpr int enqueue_rounds_max = 3;

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
            jobs, [](const NewJob& job) { return job.clerk_created_at; }));
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

std::unexpected<Error> refusal(std::string_view what, const pg::SqlError& error) {
    const ErrorCode code = error.data_error()  ? ErrorCode::invalid_input
                           : error.transient() ? ErrorCode::unavailable
                                               : ErrorCode::internal;
    return std::unexpected(Error{code, std::string(what) + ": " + reason_of(error)});
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

Result<void> ended(const std::expected<pg::Rows, pg::SqlError>& rows, const Job& job,
                   std::string_view what) {
    if (!rows) return refusal(what, rows.error());
    if (rows->affected() == 0) {
        return fail(ErrorCode::conflict, "job " + job.id + " is not this worker's any more");
    }
    return {};
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
    job.fence = rows.bigint(row, rows.column("fence"));
    if (const auto event = rows.maybe(row, rows.column("original_event"))) {
        job.original_event = std::string(*event);
    }
    job.age = std::chrono::milliseconds(rows.bigint(row, rows.column("age_ms")));
    job.waited = std::chrono::milliseconds(rows.bigint(row, rows.column("waited_ms")));
    return job;
}

std::vector<int> priorities_of(const pg::Rows& rows) {
    std::vector<int> out;
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

JobQueue::JobQueue(pg::Pool& pool) : pool_(pool) {}

Task<Result<std::vector<Enqueued>>> JobQueue::enqueue(std::span<const NewJob> call) {
    const Batch batch(call);
    std::vector<Enqueued> stored(batch.jobs.size());  // by place; id "" while not known
    std::vector<std::size_t> open(batch.jobs.size());
    for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;

    for (int round = 0; round < enqueue_rounds_max && !open.empty(); ++round) {
        std::vector<const NewJob*> jobs;
        jobs.reserve(open.size());
        for (const std::size_t i : open) jobs.push_back(batch.jobs[i]);
        const auto added = co_await pool_.try_execute(sql::enqueue, enqueue_params(jobs));
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

// An id that the database cannot hold is that of no user: the event is kept all the same.
Task<Result<void>> JobQueue::refresh(std::span<const NewJob> jobs) {
    std::vector<Text> users;
    for (const NewJob& job : jobs) {
        if (job.failed && job.refresh) users.push_back(job.refresh);
    }
    if (users.empty()) co_return Result<void>();
    pg::Params params;
    params.text_array(users);
    const auto asked = co_await pool_.try_execute(sql::refresh, params);
    if (asked || asked.error().data_error()) co_return Result<void>();
    co_return fail(ErrorCode::unavailable, "refresh: " + reason_of(asked.error()));
}

// Finds the jobs of known events, sets FAILED ones going again, and returns which are not there.
Task<Result<std::vector<std::size_t>>> JobQueue::resend(std::span<const NewJob* const> jobs,
                                                        std::vector<std::size_t> known,
                                                        std::vector<Enqueued>& stored) {
    if (known.empty()) co_return known;
    std::vector<const NewJob*> delivered;
    delivered.reserve(known.size());
    for (const std::size_t i : known) delivered.push_back(jobs[i]);
    const auto rows = co_await pool_.try_execute(sql::resend, resend_params(delivered));
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
        cursor_.add_priorities(priorities_of(co_await pool_.execute(sql::leased_priorities)));
    }
    const pg::Rows rows = co_await pool_.execute(
        sql::claim, claim_params(worker, limit, lease, kinds, cursor_, pass.reach()));
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

Task<Result<void>> JobQueue::complete(const Job& job, std::string_view result_json) {
    pg::Params params;
    params.text(job.id).bigint(job.fence).text(result_json.empty() ? Text() : Text(result_json));
    co_return ended(co_await pool_.try_execute(sql::complete, params), job, "complete");
}

Task<Result<void>> JobQueue::retry(const Job& job, std::chrono::milliseconds delay,
                                   std::string_view reason, bool burns_attempt) {
    pg::Params params;
    params.text(job.id)
        .bigint(job.fence)
        .bigint(delay.count())
        .text(clean_reason(reason))
        .integer(burns_attempt ? 0 : 1);
    co_return ended(co_await pool_.try_execute(sql::retry, params), job, "retry");
}

Task<Result<void>> JobQueue::bury(const Job& job, std::string_view reason) {
    pg::Params params;
    params.text(job.id).bigint(job.fence).text(clean_reason(reason));
    co_return ended(co_await pool_.try_execute(sql::bury, params), job, "bury");
}

Task<int> JobQueue::release(std::string_view worker) {
    pg::Params params;
    params.text(worker);
    const pg::Rows rows = co_await pool_.execute(sql::release, params);
    co_return static_cast<int>(rows.affected());
}

}  // namespace rollcall::jobs
