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
    std::optional<std::string_view> trace;  // traceparent that the delivery brought
    std::optional<SystemTime> arrived_at;   // the row is as old as if it had been added then
};

struct Enqueued {
    std::string id;          // of the first job with this event id
    bool duplicate = false;  // it was there already; if it was FAILED it is PENDING again
};

// Leased work that is claimed apart, so that what waits for one neighbour holds up no other.
enum class Lane : std::uint8_t {
    effects,  // REFRESH_USER, UNKNOWN_EVENT, SELF_TEST
    mirror,   // MIRROR_USER
};
// The lane's name in metrics: queue_effects, queue_mirror.
[[nodiscard]] std::string_view queue_of(Lane lane);

// Those of the lane `effects`.
inline constexpr std::array leased_kinds{refresh_user, unknown_event, self_test};

// What became of a job whose attempt ended.
enum class Recorded : std::uint8_t {
    as_told,
    // News came while it ran (its version moved on), which the attempt may not have seen: PENDING,
    // due at once, as if never tried.
    again,
};

class JobQueue {
public:
    explicit JobQueue(pg::Pool& pool, Lane lane = Lane::effects);  // must outlive the queue

    [[nodiscard]] Lane lane() const { return lane_; }

    // Adds all in one commit, or none: returns after it, one answer for each in order. Two with the
    // same event id, in one call too, are one job. A value that cannot be stored is invalid_input
    // for the whole call, what else the database refuses of a row, as by a trigger, `internal`; the
    // caller splits. `unavailable` where it would take no row at all, as without a schema. Users to
    // be read again get one job each, in a commit that follows; `unavailable` when that fails: a
    // repetition is a duplicate, and asks again.
    Task<Result<std::vector<Enqueued>>> enqueue(std::span<const NewJob> jobs);

    // Leases up to `limit` due jobs of the lane and of these kinds to `worker`, by priority and
    // then age. A lapsed lease makes the job due again, its attempt counted. Changes of users are
    // never leased, and jobs that are not rollcall's are left alone. Each call goes on where the
    // last one stopped; what became due behind that is found within about a second (ClaimCursor).
    Task<std::vector<Job>> claim(std::string_view worker, int limit,
                                 std::chrono::milliseconds lease,
                                 std::span<const std::string_view> kinds = leased_kinds);

    // Prolongs the leases of jobs that this worker runs; returns the ids of those it has lost.
    Task<std::vector<std::string>> renew(std::span<const Job> jobs,
                                         std::chrono::milliseconds lease);

    // Each ends an attempt, or says `conflict` when the lease has lapsed and the job is another's.
    Task<Result<Recorded>> complete(const Job& job, std::string_view result_json);
    Task<Result<Recorded>> retry(const Job& job, std::chrono::milliseconds delay,
                                 std::string_view reason, bool burns_attempt);
    Task<Result<Recorded>> bury(const Job& job, std::string_view reason);  // FAILED: a dead letter
    // Gives leases back at shutdown: due now, the attempt not counted.
    Task<int> release(std::string_view worker);

private:
    Task<std::expected<pg::Rows, pg::SqlError>> insert(std::span<const NewJob* const> jobs);
    Task<Result<void>> refresh(std::span<const NewJob> jobs);
    Task<Result<std::vector<std::size_t>>> resend(std::span<const NewJob* const> jobs,
                                                  std::vector<std::size_t> known,
                                                  std::vector<Enqueued>& stored);

    Task<Result<Recorded>> end(const pg::Statement& statement, const pg::Params& params,
                               const Job& job);

    pg::Pool& pool_;
    Lane lane_;
    ClaimCursor cursor_;
};

}  // namespace rollcall::jobs
