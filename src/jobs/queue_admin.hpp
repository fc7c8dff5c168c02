// What a person does with the queue: look, retry, cancel. Used by the command line and the admin
// API. Changes go through the SQL functions of docs/sql.md, so that a shell, the API and SQL agree:
// FAILED and CANCELLED jobs may be retried, PENDING and PROCESSING ones cancelled, COMPLETED ones
// never change. Of an operator and a worker that race one wins.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::jobs {

// Times are RFC 3339 in UTC; "" for NULL.
struct JobSummary {
    std::string id;
    std::string kind;
    std::string status;
    int priority = 0;
    int attempts = 0;
    std::optional<int> attempts_max;  // its own
    std::string subject;
    std::string event_id;
    std::string error;
    std::string created_at;
    std::string updated_at;
    std::string run_at;
    std::string processed_at;
    std::string leased_by;
    std::string lease_until;
};

struct JobTransition {
    std::string status;
    std::string at;
    std::optional<int> attempt;
    std::string error;
    std::string worker;
};

struct JobDetails {
    JobSummary summary;
    std::string payload;                        // JSON text; personal data
    std::string result;                         // JSON text or ""
    std::optional<std::string> original_event;  // personal data
    std::string blanked_at;                     // when personal data was removed
    std::vector<JobTransition> history;         // complete, first PENDING at created_at
};

struct JobFilter {
    std::optional<std::string> status;
    std::optional<std::string> kind;
    std::optional<std::string> subject;
    std::optional<std::string> event_id;
    std::optional<std::string> after;  // `next` of the page before
    int limit = 50;                    // at most 500
};

struct JobPage {
    std::vector<JobSummary> jobs;  // newest first
    std::optional<std::string> next;
};

struct QueueCount {
    std::string kind;
    std::string status;
    std::int64_t jobs = 0;
    std::int64_t due = 0;  // PENDING and run_at not ahead
    std::string oldest_at;
    std::optional<double> average_seconds;  // creation to end, of finished ones of the last day
};

struct QueueDepth {
    std::string queue;  // users, effects
    std::int64_t ready = 0;
    std::int64_t scheduled = 0;  // never tried, due later
    std::int64_t running = 0;
    std::int64_t retry = 0;  // waits for its next attempt
    std::int64_t dead = 0;
    double oldest_ready_age_seconds = 0;
};

struct StuckJob {
    std::string id;
    std::string kind;
    std::string status;
    int attempts = 0;
    std::string since;
    std::string worker;
    std::string reason;
};

class QueueAdmin {
public:
    explicit QueueAdmin(pg::Pool& pool);  // must outlive this

    // `invalid_input` for a cursor or status that is none.
    Task<Result<JobPage>> list(JobFilter filter);
    // `not_found` for an unknown id, `invalid_input` for one that is no uuid; so do the next two.
    Task<Result<JobDetails>> show(std::string_view id);
    // `conflict` when its state does not allow it, with a message that says why. An event that is
    // kept for review is not retried: only a new delivery of it is read again.
    Task<Result<void>> retry(std::string_view id);
    Task<Result<void>> cancel(std::string_view id);
    Task<std::int64_t> retry_failed(std::optional<std::string> kind);

    // Counts every row: about half a second for each million. For people, not for polling.
    Task<std::vector<QueueCount>> stats();
    // What is not finished, by partial indexes: cheap beside any number of finished jobs.
    Task<std::vector<QueueDepth>> depth();
    Task<std::vector<StuckJob>> stuck(std::chrono::seconds older_than);

private:
    Task<Result<pg::Rows>> look(const JobFilter& filter,
                                std::optional<std::chrono::milliseconds> window,
                                const std::string* before, const std::string* before_id, int limit);
    Task<Result<void>> change(const pg::Statement& statement, std::string_view id,
                              std::string_view verb);

    pg::Pool& pool_;
};

}  // namespace rollcall::jobs
