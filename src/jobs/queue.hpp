// The durable queue, `public.job_queue`: records, never decides. docs/jobs.md draws the states of a
// row; docs/sql.md has the same operations as SQL functions. Use one per event loop. A database
// that is away throws Unavailable, as everywhere.
#pragma once

#include "base/claim_cursor.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "jobs/job.hpp"
#include "pg/pool.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::jobs {

// One job to add. Views must live until `enqueue` returns.
struct NewJob {
    Uuid id;
    std::string_view kind;
    std::string_view payload;  // JSON object, valid, without \u0000
    int priority = 1;
    bool failed = false;  // stored as a dead letter at once, with `error`: kept for a person
    std::optional<std::string_view> error;
    std::optional<std::string_view> refresh;  // with `failed`: a user to be read again from Clerk
    std::optional<std::string_view> event_id;
    std::optional<std::string_view> original_event;
    std::optional<std::string_view> subject;
    std::optional<std::int64_t> version;
    std::optional<bool> banned;
    std::optional<bool> locked;
    std::optional<SystemTime> clerk_created_at;
};

struct Enqueued {
    std::string id;          // of the first job with this event id
    bool duplicate = false;  // it was there already; if it was FAILED it is PENDING again
};

// Those that are leased.
inline constexpr std::array leased_kinds{refresh_user, unknown_event};

class JobQueue {
public:
    explicit JobQueue(pg::Pool& pool);  // must outlive the queue

    // Adds all in one commit, or none: returns after it, one answer for each in order. Two with the
    // same event id, in one call too, are one job. A value that cannot be stored is invalid_input
    // for the whole call; the caller splits. Users to be read again get one job each, in a commit
    // that follows; `unavailable` when that fails: a repetition is a duplicate, and asks again.
    Task<Result<std::vector<Enqueued>>> enqueue(std::span<const NewJob> jobs);

    // Leases up to `limit` due jobs of these kinds to `worker`, by priority and then age. A lapsed
    // lease makes the job due again, its attempt counted. Changes of users are never leased, and
    // jobs that are not rollcall's are left alone. Each call goes on where the last one stopped;
    // what became due behind that is found within about a second (ClaimCursor).
    Task<std::vector<Job>> claim(std::string_view worker, int limit,
                                 std::chrono::milliseconds lease,
                                 std::span<const std::string_view> kinds = leased_kinds);

    // Prolongs the leases of jobs that this worker runs; returns the ids of those it has lost.
    Task<std::vector<std::string>> renew(std::span<const Job> jobs,
                                         std::chrono::milliseconds lease);

    // Each ends an attempt, or says `conflict` when the lease has lapsed and the job is another's.
    Task<Result<void>> complete(const Job& job, std::string_view result_json);
    Task<Result<void>> retry(const Job& job, std::chrono::milliseconds delay,
                             std::string_view reason, bool burns_attempt);
    Task<Result<void>> bury(const Job& job, std::string_view reason);  // FAILED: a dead letter
    // Gives leases back at shutdown: due now, the attempt not counted.
    Task<int> release(std::string_view worker);

private:
    Task<Result<void>> refresh(std::span<const NewJob> jobs);
    Task<Result<std::vector<std::size_t>>> resend(std::span<const NewJob* const> jobs,
                                                  std::vector<std::size_t> known,
                                                  std::vector<Enqueued>& stored);

    pg::Pool& pool_;
    ClaimCursor cursor_;
};

}  // namespace rollcall::jobs
