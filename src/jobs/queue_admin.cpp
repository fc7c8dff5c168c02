#include "jobs/queue_admin.hpp"

#include "jobs/job.hpp"
#include "jobs/reason.hpp"
#include "jobs/sql.hpp"

#include <array>
#include <utility>

namespace rollcall::jobs {
namespace {

constexpr int page_max = 500;
constexpr std::array statuses{"PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"};

// How far back a page looks at first, and then: the newest part of the table usually fills it, and
// only the last look reads all of it.
constexpr std::array<std::optional<std::chrono::milliseconds>, 4> windows{
    std::chrono::hours(1), std::chrono::days(1), std::chrono::days(7), std::nullopt};

// "<created_at>,<id>" of the last job of a page; created_at is empty where the row has none.
struct Cursor {
    std::string created_at;
    std::string id;
};

std::optional<Cursor> parse_cursor(std::string_view text) {
    const auto comma = text.find(',');
    if (comma == std::string_view::npos) return std::nullopt;
    Cursor cursor{std::string(text.substr(0, comma)), std::string(text.substr(comma + 1))};
    if (cursor.created_at.empty()) cursor.created_at = "-infinity";
    return cursor;
}

JobSummary read_summary(const pg::Rows& rows, int row) {
    const auto text = [&](std::string_view name) {
        return std::string(rows.text(row, rows.column(name)));
    };
    const auto number = [&](std::string_view name) {
        return static_cast<int>(rows.bigint(row, rows.column(name)));
    };
    JobSummary job;
    job.id = text("id");
    job.kind = text("job_type");
    job.status = text("status");
    job.priority = number("priority");
    job.attempts = number("attempts");
    if (!rows.is_null(row, rows.column("max_attempts"))) job.attempts_max = number("max_attempts");
    job.subject = text("subject");
    job.event_id = text("event_id");
    job.error = text("error");
    job.created_at = text("created_at");
    job.updated_at = text("updated_at");
    job.run_at = text("run_at");
    job.processed_at = text("processed_at");
    job.leased_by = text("leased_by");
    job.lease_until = text("lease_until");
    return job;
}

std::unexpected<Error> not_found(std::string_view id) {
    return fail(ErrorCode::not_found, "no job has the id " + clean_reason(id));
}

// Refused parameters are the caller's; anything else a person should look at.
std::unexpected<Error> refusal(const pg::SqlError& error, std::string_view what) {
    if (error.data_error()) return fail(ErrorCode::invalid_input, std::string(what));
    return fail(ErrorCode::internal, reason_of(error));
}

}  // namespace

QueueAdmin::QueueAdmin(pg::Pool& pool) : pool_(pool) {}

Task<Result<JobPage>> QueueAdmin::list(JobFilter filter) {
    if (filter.status && std::ranges::find(statuses, *filter.status) == statuses.end()) {
        co_return fail(ErrorCode::invalid_input,
                       "status is one of PENDING, PROCESSING, COMPLETED, FAILED, CANCELLED");
    }
    const int limit = std::clamp(filter.limit, 1, page_max);
    std::optional<Cursor> cursor;
    if (filter.after) {
        cursor = parse_cursor(*filter.after);
        if (!cursor) co_return fail(ErrorCode::invalid_input, "not a cursor of this list");
    }
    // These are found by an index of their own, or by reading everything: one look is enough.
    const bool one_look =
        filter.event_id || filter.subject || (filter.status && *filter.status != "COMPLETED");

    JobPage page;
    for (const auto& window : windows) {
        if (one_look && window) continue;
        const auto rows = co_await look(filter, window, cursor ? &cursor->created_at : nullptr,
                                        cursor ? &cursor->id : nullptr, limit + 1);
        if (!rows) co_return std::unexpected(rows.error());
        if (rows->size() <= limit && window) continue;
        for (int row = 0; row < std::min(rows->size(), limit); ++row) {
            page.jobs.push_back(read_summary(*rows, row));
        }
        if (rows->size() > limit) {
            page.next = page.jobs.back().created_at + "," + page.jobs.back().id;
        }
        break;
    }
    co_return page;
}

Task<Result<pg::Rows>> QueueAdmin::look(const JobFilter& filter,
                                        std::optional<std::chrono::milliseconds> window,
                                        const std::string* before, const std::string* before_id,
                                        int limit) {
    using Text = std::optional<std::string_view>;
    const auto text = [](const std::optional<std::string>& value) {
        return value ? Text(*value) : Text();
    };
    pg::Params params;
    params.text(text(filter.status))
        .text(text(filter.kind))
        .text(text(filter.subject))
        .text(text(filter.event_id));
    if (window) {
        params.bigint(window->count());
    } else {
        params.null();
    }
    params.text(before != nullptr ? Text(*before) : Text())
        .text(before_id != nullptr ? Text(*before_id) : Text())
        .integer(limit);
    auto rows = co_await pool_.try_execute(sql::list, params);
    if (!rows) co_return refusal(rows.error(), "not a cursor or filter of this list");
    co_return std::move(*rows);
}

Task<Result<JobDetails>> QueueAdmin::show(std::string_view id) {
    pg::Params params;
    params.text(id);
    const auto rows = co_await pool_.try_execute(sql::show, params);
    if (!rows) co_return refusal(rows.error(), "a job's id is a UUID");
    if (rows->empty()) co_return not_found(id);
    const auto text = [&](std::string_view name) {
        return std::string(rows->text(0, rows->column(name)));
    };
    JobDetails job;
    job.summary = read_summary(*rows, 0);
    job.payload = text("payload");
    job.result = text("result");
    if (!rows->is_null(0, rows->column("original_event"))) {
        job.original_event = text("original_event");
    }
    job.blanked_at = text("blanked_at");

    const pg::Rows history = co_await pool_.execute(sql::history, params);
    for (int row = 0; row < history.size(); ++row) {
        JobTransition step;
        step.status = history.text(row, history.column("status"));
        step.at = history.text(row, history.column("at"));
        if (const int attempt = history.column("attempt"); !history.is_null(row, attempt)) {
            step.attempt = static_cast<int>(history.bigint(row, attempt));
        }
        step.error = history.text(row, history.column("error"));
        step.worker = history.text(row, history.column("worker"));
        job.history.push_back(std::move(step));
    }
    co_return job;
}

Task<Result<void>> QueueAdmin::change(const pg::Statement& statement, std::string_view id,
                                      std::string_view verb) {
    pg::Params params;
    params.text(id);
    const auto done = co_await pool_.try_execute(statement, params);
    if (!done) co_return refusal(done.error(), "a job's id is a UUID");
    if (done->boolean(0, 0)) co_return Result<void>();
    const pg::Rows state = co_await pool_.execute(sql::state, params);
    if (state.empty()) co_return not_found(id);
    std::string why = "job " + std::string(id) + " is " + std::string(state.text(0, 0));
    if (state.boolean(0, 1)) why += " and its personal data was removed";
    co_return fail(ErrorCode::conflict, why + ": it cannot be " + std::string(verb));
}

Task<Result<void>> QueueAdmin::retry(std::string_view id) {
    auto done = co_await change(sql::retry_by_hand, id, "retried");
    if (done || done.error().code != ErrorCode::conflict) co_return done;
    const pg::Rows review = co_await pool_.execute(sql::review, pg::Params().text(id));
    if (review.empty()) co_return done;
    co_return fail(ErrorCode::conflict,
                   "it was kept for review: " + std::string(review.text(0, 0)) +
                       "; a retry would end the same. Once that is mended "
                       "send message " +
                       std::string(review.text(0, 1)) +
                       " again from Clerk's dashboard, Webhooks: it is read "
                       "anew");
}

Task<Result<void>> QueueAdmin::cancel(std::string_view id) {
    co_return co_await change(sql::cancel_by_hand, id, "cancelled");
}

Task<std::int64_t> QueueAdmin::retry_failed(std::optional<std::string> kind) {
    pg::Params params;
    params.text(kind ? std::optional<std::string_view>(*kind) : std::nullopt);
    const pg::Rows rows = co_await pool_.execute(sql::retry_failed, params);
    co_return rows.bigint(0, 0);
}

Task<std::vector<QueueCount>> QueueAdmin::stats() {
    const pg::Rows rows = co_await pool_.execute(sql::stats);
    std::vector<QueueCount> counts;
    for (int row = 0; row < rows.size(); ++row) {
        QueueCount count;
        count.kind = rows.text(row, rows.column("job_type"));
        count.status = rows.text(row, rows.column("status"));
        count.jobs = rows.bigint(row, rows.column("jobs"));
        count.due = rows.bigint(row, rows.column("due"));
        count.oldest_at = rows.text(row, rows.column("oldest_at"));
        if (const int average = rows.column("average_seconds"); !rows.is_null(row, average)) {
            count.average_seconds = rows.number(row, average);
        }
        counts.push_back(std::move(count));
    }
    co_return counts;
}

Task<std::vector<QueueDepth>> QueueAdmin::depth() {
    const pg::Rows rows = co_await pool_.execute(sql::depth);
    std::vector<QueueDepth> queues;
    for (int row = 0; row < rows.size(); ++row) {
        const auto count = [&](std::string_view name) {
            return rows.bigint(row, rows.column(name));
        };
        queues.push_back(
            {.queue = std::string(rows.text(row, rows.column("queue"))),
             .ready = count("ready"),
             .scheduled = count("scheduled"),
             .running = count("running"),
             .retry = count("retry"),
             .dead = count("dead"),
             .oldest_ready_age_seconds = rows.number(row, rows.column("oldest_seconds"))});
    }
    co_return queues;
}

Task<std::vector<StuckJob>> QueueAdmin::stuck(std::chrono::seconds older_than) {
    pg::Params params;
    params.bigint(older_than.count());
    const pg::Rows rows = co_await pool_.execute(sql::stuck, params);
    std::vector<StuckJob> jobs;
    for (int row = 0; row < rows.size(); ++row) {
        StuckJob job;
        job.id = rows.text(row, rows.column("id"));
        job.kind = rows.text(row, rows.column("job_type"));
        job.status = rows.text(row, rows.column("status"));
        job.attempts = static_cast<int>(rows.bigint(row, rows.column("attempts")));
        job.since = rows.text(row, rows.column("since"));
        job.worker = rows.text(row, rows.column("worker"));
        job.reason = rows.text(row, rows.column("reason"));
        jobs.push_back(std::move(job));
    }
    co_return jobs;
}

}  // namespace rollcall::jobs
