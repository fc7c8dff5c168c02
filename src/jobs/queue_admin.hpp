// What a person does with the queue: look, retry, cancel. Used by the command line and the admin
// API. Changes go through the SQL functions of docs/sql.md, so that a shell, the API and SQL agree:
// FAILED and CANCELLED jobs may be retried, PENDING and PROCESSING ones cancelled, COMPLETED ones
// never change. Of an operator and a worker that race one wins. Each job that is changed has an
// entry in the audit log.
#pragma once

#include "base/actor.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
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
    std::optional<std::string> after;                  // `next` of the page before; of `list`
    int limit = 50;                                    // at most 500; of `change` 10,000
    std::optional<std::string> reason = std::nullopt;  // a part of the error, in any case
    // Created within so long.
    std::optional<std::chrono::milliseconds> since = std::nullopt;

    // Whether it says which jobs; a page and its size do not.
    [[nodiscard]] bool empty() const {
        return !status && !kind && !subject && !event_id && !reason && !since;
    }
};

enum class Verb : std::uint8_t { retry, cancel };

// What became of many.
struct Changed {
    std::vector<std::string> matched;  // ids of the jobs that the filter found
    std::vector<std::string> changed;  // of these, those that were still in such a state
    bool more = false;                 // there are others, beyond the limit
};

// Who changes jobs, and why.
struct Order {
    Actor by{};
    std::string note{};  // kept as the reason of the entry; may be empty
};

struct FailureReason {
    std::string kind;
    std::string reason;  // without ids
    std::int64_t jobs = 0;
    std::string last_at;
    std::string example;  // the newest such job's id
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
    Task<Result<void>> retry(std::string_view id, Order order = {});
    Task<Result<void>> cancel(std::string_view id, Order order = {});
    // The jobs that a filter finds: a retry takes FAILED ones, or CANCELLED ones where the filter
    // says so; a cancellation PENDING and PROCESSING ones. Without a kind only rollcall's own. In
    // steps, each a transaction: a database that goes away leaves those done that were. A dry run
    // only finds. `invalid_input` for a status that the verb cannot change.
    Task<Result<Changed>> change(Verb verb, JobFilter filter, bool dry_run, Order order = {});
    // Why jobs were given up, the most frequent first; at most 200.
    Task<std::vector<FailureReason>> reasons(std::optional<std::string> kind);
    // Tells the audit log that somebody is shown the job's personal data.
    Task<> revealed(std::string_view id, const Actor& to);

    // Counts every row: about half a second for each million. For people, not for polling.
    Task<std::vector<QueueCount>> stats();
    // What is not finished, by partial indexes: cheap beside any number of finished jobs.
    Task<std::vector<QueueDepth>> depth();
    Task<std::vector<StuckJob>> stuck(std::chrono::seconds older_than);

private:
    Task<Result<pg::Rows>> look(const JobFilter& filter,
                                std::optional<std::chrono::milliseconds> window,
                                const std::string* before, const std::string* before_id, int limit);
    Task<Result<std::vector<std::string>>> find(Verb verb, const JobFilter& filter, int limit);
    Task<Result<std::vector<std::string>>> change(Verb verb, std::span<const std::string> ids,
                                                  const Order& order);
    Task<Result<void>> change_one(Verb verb, std::string_view id, const Order& order);

    pg::Pool& pool_;
};

}  // namespace rollcall::jobs
