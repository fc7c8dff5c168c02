#include "jobs/queue_admin.hpp"

#include "jobs/job.hpp"
#include "jobs/reason.hpp"
#include "jobs/sql.hpp"

#include <array>
#include <utility>

namespace rollcall::jobs {
namespace {

constexpr int page_max = 500;
constexpr int change_max = 10'000;
// Rows that are locked at the same time: who applies a change of these users waits so long.
constexpr std::size_t change_step = 500;
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
    const bool one_look = filter.event_id || filter.subject || filter.since ||
                          (filter.status && *filter.status != "COMPLETED");

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
        .integer(limit)
        .text(text(filter.reason));
    if (filter.since) {
        params.bigint(filter.since->count());
    } else {
        params.null();
    }
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

Task<Result<std::vector<std::string>>> QueueAdmin::find(Verb verb, const JobFilter& filter,
                                                        int limit) {
    pg::Params params;
    params.text(filter.status).text(filter.kind).text(filter.subject).text(filter.event_id);
    params.text(filter.reason);
    if (filter.since) {
        params.bigint(filter.since->count());
    } else {
        params.null();
    }
    params.integer(limit);
    const auto rows =
        co_await pool_.try_execute(verb == Verb::retry ? sql::retryable : sql::cancellable, params);
    if (!rows) co_return refusal(rows.error(), "not a filter of jobs");
    std::vector<std::string> ids;
    ids.reserve(static_cast<std::size_t>(rows->size()));
    for (int row = 0; row < rows->size(); ++row) ids.emplace_back(rows->text(row, 0));
    co_return ids;
}

// Those of the jobs that it did.
Task<Result<std::vector<std::string>>> QueueAdmin::change(Verb verb,
                                                          std::span<const std::string> ids,
                                                          const Order& order) {
    const std::vector<std::optional<std::string_view>> views(ids.begin(), ids.end());
    const std::string who = order.by.to_json();
    pg::Params params;
    params.text_array(views).text(order.note).text(who);
    const auto rows = co_await pool_.try_execute(
        verb == Verb::retry ? sql::retry_jobs : sql::cancel_jobs, params);
    if (!rows) co_return refusal(rows.error(), "a job's id is a UUID");
    std::vector<std::string> done;
    done.reserve(static_cast<std::size_t>(rows->size()));
    for (int row = 0; row < rows->size(); ++row) done.emplace_back(rows->text(row, 0));
    co_return done;
}

Task<Result<void>> QueueAdmin::change_one(Verb verb, std::string_view id, const Order& order) {
    const std::string job(id);
    const auto done = co_await change(verb, {&job, 1}, order);
    if (!done) co_return std::unexpected(done.error());
    if (!done->empty()) co_return Result<void>();
    const pg::Rows state = co_await pool_.execute(sql::state, pg::Params().text(id));
    if (state.empty()) co_return not_found(id);
    std::string why = "job " + job + " is " + std::string(state.text(0, 0));
    if (state.boolean(0, 1)) why += " and its personal data was removed";
    why += verb == Verb::retry ? ": it cannot be retried" : ": it cannot be cancelled";
    co_return fail(ErrorCode::conflict, why);
}

Task<Result<void>> QueueAdmin::retry(std::string_view id, Order order) {
    auto done = co_await change_one(Verb::retry, id, order);
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

Task<Result<void>> QueueAdmin::cancel(std::string_view id, Order order) {
    co_return co_await change_one(Verb::cancel, id, order);
}

Task<Result<Changed>> QueueAdmin::change(Verb verb, JobFilter filter, bool dry_run, Order order) {
    const bool retry = verb == Verb::retry;
    if (filter.status && *filter.status != (retry ? "FAILED" : "PENDING") &&
        *filter.status != (retry ? "CANCELLED" : "PROCESSING")) {
        co_return fail(ErrorCode::invalid_input,
                       retry ? "only FAILED and CANCELLED jobs can be retried"
                             : "only PENDING and PROCESSING jobs can be cancelled");
    }
    const auto limit = static_cast<std::size_t>(std::clamp(filter.limit, 1, change_max));
    auto found = co_await find(verb, filter, static_cast<int>(limit) + 1);
    if (!found) co_return std::unexpected(found.error());
    Changed out{.matched = std::move(*found), .changed = {}, .more = false};
    out.more = out.matched.size() > limit;
    if (out.more) out.matched.pop_back();
    if (dry_run) co_return out;
    for (std::span<const std::string> left(out.matched); !left.empty();) {
        const auto step = left.first(std::min(left.size(), change_step));
        const auto done = co_await change(verb, step, order);
        if (!done) co_return std::unexpected(done.error());
        out.changed.insert(out.changed.end(), done->begin(), done->end());
        left = left.subspan(step.size());
    }
    co_return out;
}

Task<std::vector<FailureReason>> QueueAdmin::reasons(std::optional<std::string> kind) {
    const pg::Rows rows = co_await pool_.execute(sql::reasons, pg::Params().text(kind));
    std::vector<FailureReason> reasons;
    reasons.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
        reasons.push_back({.kind = std::string(rows.text(row, rows.column("job_type"))),
                           .reason = std::string(rows.text(row, rows.column("reason"))),
                           .jobs = rows.bigint(row, rows.column("jobs")),
                           .last_at = std::string(rows.text(row, rows.column("last_at"))),
                           .example = std::string(rows.text(row, rows.column("example")))});
    }
    co_return reasons;
}

Task<> QueueAdmin::revealed(std::string_view id, const Actor& to) {
    const std::string who = to.to_json();
    co_await pool_.execute(sql::reveal, pg::Params().text(id).text(who));
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
