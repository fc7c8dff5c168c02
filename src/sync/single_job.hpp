// One change of a user, alone: what a batch could not settle. Clears an e-mail conflict, or finds
// out that the table refuses this change, and retries or buries the job. Never throws on a job's
// account; a database that is away throws Unavailable. Any number may run at once.
#pragma once

#include "base/random.hpp"
#include "base/task.hpp"
#include "clerk/event.hpp"
#include "directory/directory.hpp"
#include "jobs/job.hpp"
#include "jobs/metrics.hpp"
#include "jobs/outcome.hpp"
#include "jobs/retry_policy.hpp"
#include "pg/pool.hpp"
#include "sync/deletion_hold.hpp"
#include "sync/email_conflicts.hpp"

#include <functional>
#include <optional>
#include <string>

namespace rollcall::sync {

// What the job row says.
struct JobFacts {
    jobs::Job job;  // attempt is the one that begins
    std::optional<std::string> email;
    std::int64_t version = 0;
    double touched_at = 0;  // enqueued or put off; seconds since 1970 by the database
    bool retried = false;   // a person has set it going again
};

// Whether Clerk may be asked: that takes as long as Clerk likes.
enum class Asking : std::uint8_t { later, now };
enum class Handled : std::uint8_t {
    settled,   // or nothing to do: not PENDING any more, or another worker's
    must_ask,  // by Asking::later only; the job is put off by half a minute meanwhile
};

class SingleJob {
public:
    // `clerk` may be null, `hold` be absent: no deletion is held back then. All references must
    // outlive this.
    SingleJob(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi* clerk,
              const jobs::RetryPolicy& retry, std::optional<DeletionGuard> hold,
              jobs::Metrics& metrics);

    // Told of the job when it is applied.
    using Report = std::function<void(const directory::AppliedBatch&)>;

    // The error is a refusal that may be the table's fault (Refusal::undecided): the job is as it
    // was, and wants charge() once it is known how other changes fared.
    Task<directory::Answer<Handled>> run(std::string id, Asking asking, Report report);
    // Puts off or buries a job after such a refusal. `last_applied_at`: see own_fault().
    Task<> charge(std::string id, const pg::SqlError& refusal, double last_applied_at);

private:
    using Ending = std::optional<jobs::Outcome>;  // absent: another round
    using Step = directory::Answer<Ending>;       // the error: undecided

    struct Attempt;

    Task<std::optional<JobFacts>> look(const std::string& id);
    Task<Step> round(Attempt& attempt);
    Task<Step> apply(pg::Transaction tx, Attempt& attempt);
    Task<bool> held(pg::Transaction& tx, const JobFacts& facts);
    Task<bool> forget(const JobFacts& facts, const pg::SqlError& why);
    Task<Step> refused(Attempt& attempt, pg::SqlError error);
    [[nodiscard]] jobs::Outcome wait(const JobFacts& facts, std::string reason);
    // A Retry that has its delay is resolved already.
    Task<> end(const JobFacts& facts, jobs::Outcome outcome);
    void tell(const JobFacts& facts, const jobs::Outcome& outcome);  // counts and logs it
    [[nodiscard]] std::optional<directory::EmailClaim> claim_of(const JobFacts& facts);

    pg::Pool& pool_;
    directory::Directory& directory_;
    std::optional<ClerkReader> clerk_;
    const jobs::RetryPolicy& retry_;
    jobs::Metrics& metrics_;
    EmailConflicts conflicts_;
    std::optional<DeletionHold> hold_;
    clerk::EventParser parser_;
    Random random_;
};

}  // namespace rollcall::sync
