#include "sync/single_job.hpp"

#include "base/log.hpp"
#include "jobs/job_trace.hpp"
#include "jobs/original_event.hpp"
#include "sync/refusal.hpp"
#include "sync/sql.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace rollcall::sync {
namespace {

constexpr int rounds_max = 8;
// Clerk's webhooks are delivered for 28 hours, the last pauses being ten hours long.
constexpr std::chrono::hours other_event_max{72};

pg::Statement finish_statement(const jobs::Outcome& outcome) {
    return std::holds_alternative<jobs::Failed>(outcome) ? sql::bury : sql::put_off;
}

pg::Params finish_params(const std::string& id, const jobs::Outcome& outcome, int attempt) {
    pg::Params params;
    params.text(id);
    if (const auto* failed = std::get_if<jobs::Failed>(&outcome)) {
        params.text(failed->reason).integer(attempt);
        return params;
    }
    const auto& retry = std::get<jobs::Retry>(outcome);
    params.bigint(retry.delay.value_or(std::chrono::milliseconds(0)).count()).text(retry.reason);
    params.integer(retry.burns_attempt ? attempt : attempt - 1);
    return params;
}

}  // namespace

SingleJob::SingleJob(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi* clerk,
                     const jobs::RetryPolicy& retry, std::optional<DeletionGuard> hold,
                     jobs::Metrics& metrics)
    : pool_(pool),
      directory_(directory),
      clerk_(clerk != nullptr ? std::make_optional<ClerkReader>(pool, *clerk) : std::nullopt),
      retry_(retry),
      metrics_(metrics),
      conflicts_(directory, clerk_ ? &*clerk_ : nullptr) {
    if (hold) hold_.emplace(*hold);
}

Task<std::optional<JobFacts>> SingleJob::look(const std::string& id) {
    const pg::Rows rows = co_await pool_.execute(sql::job_facts, pg::Params().text(id));
    if (rows.empty()) co_return std::nullopt;
    JobFacts out;
    out.job.id = id;
    out.job.kind = rows.text(0, 0);
    out.job.subject = rows.text(0, 1);
    out.job.event_id = rows.text(0, 10);
    out.job.trace = rows.text(0, 11);
    if (const auto email = rows.maybe(0, 2)) out.email = std::string(*email);
    out.version = rows.bigint(0, 3);
    out.job.attempt = static_cast<int>(rows.bigint(0, 4)) + 1;
    out.job.attempts_max = static_cast<int>(rows.bigint(0, 5));
    out.job.fence = rows.bigint(0, 6) + 1;
    out.job.age = std::chrono::milliseconds(rows.bigint(0, 7));
    if (const auto event = rows.maybe(0, 8)) out.job.original_event = std::string(*event);
    out.touched_at = rows.number(0, 9);
    out.retried = rows.boolean(0, 12);
    co_return out;
}

// The address that the change gives its user, and whether Clerk has verified it: only the event
// itself says so.
std::optional<directory::EmailClaim> SingleJob::claim_of(const JobFacts& facts) {
    if (!facts.email || facts.job.subject.empty() || facts.job.kind == jobs::user_deleted) {
        return std::nullopt;
    }
    directory::EmailClaim claim{.clerk_id = facts.job.subject,
                                .email = *facts.email,
                                .version = facts.version,
                                .verified = std::nullopt};
    if (const auto bytes = jobs::exact_bytes(facts.job.original_event)) {
        const clerk::Event event = parser_.parse(*bytes);
        const auto* user = std::get_if<clerk::User>(&event.data);
        if (user != nullptr && user->id == claim.clerk_id && user->email == claim.email) {
            claim.verified = user->email_verified;
        }
    }
    return claim;
}

// One go at a job: what was learned in the rounds so far.
struct SingleJob::Attempt {
    JobFacts facts;
    Asking asking = Asking::later;
    Report report;
    EmailConflicts::Known known = {};
    std::optional<pg::SqlError> refusal = std::nullopt;  // after which another round was worth it
    bool must_ask = false;
};

Task<directory::Answer<Handled>> SingleJob::run(std::string id, Asking asking, Report report) {
    auto facts = co_await look(id);
    if (!facts) co_return Handled::settled;
    Attempt attempt{.facts = std::move(*facts), .asking = asking, .report = std::move(report)};
    for (int number = 0; number < rounds_max; ++number) {
        auto step = co_await round(attempt);
        const bool done = step && *step && std::holds_alternative<jobs::Completed>(**step);
        // What it says of access does not wait for what the rest waits for.
        if (number == 0 && !done) co_await directory_.curbs().of_job(pool_, attempt.facts.job.id);
        if (attempt.must_ask) co_return Handled::must_ask;
        if (!step) co_return std::unexpected(std::move(step.error()));
        Ending& ending = *step;
        if (!ending) continue;
        if (!std::holds_alternative<jobs::Completed>(*ending)) {
            co_await end(attempt.facts, std::move(*ending));
        }
        co_return Handled::settled;
    }
    // A constraint that is no race: the application's, of which rollcall does not know.
    const bool unique = attempt.refusal && attempt.refusal->unique_violation();
    std::string reason = unique ? reason_of(*attempt.refusal)
                                : "The rows of " + attempt.facts.job.subject +
                                      " change faster than this job can follow";
    co_await end(attempt.facts, jobs::Retry{.reason = std::move(reason), .delay = std::nullopt});
    co_return Handled::settled;
}

Task<> SingleJob::charge(std::string id, const pg::SqlError& refusal, double last_applied_at) {
    const auto facts = co_await look(id);
    if (!facts) co_return;
    const bool own = own_fault(facts->job.attempt - 1, facts->touched_at, last_applied_at);
    if (own && co_await forget(*facts, refusal)) co_return;
    co_await end(
        *facts,
        jobs::Retry{.reason = reason_of(refusal), .delay = std::nullopt, .burns_attempt = own});
}

Task<SingleJob::Step> SingleJob::round(Attempt& attempt) {
    using Kind = EmailConflicts::Verdict::Kind;
    const JobFacts& facts = attempt.facts;
    std::string whom;
    {
        pg::Transaction tx = co_await directory_.begin(pool_);
        directory::Answer<EmailConflicts::Verdict> verdict{};
        if (const auto claim = claim_of(facts)) {
            verdict = co_await conflicts_.clear_way(tx, *claim, attempt.known);
        }
        if (!verdict) co_return co_await refused(attempt, verdict.error());
        switch (verdict->kind) {
            case Kind::clear:
                co_return co_await apply(std::move(tx), attempt);
            case Kind::again:
                co_return Ending();
            case Kind::overtaken:
                co_await tx.execute(sql::complete_superseded, pg::Params().text(facts.job.id));
                co_await tx.commit();
                metrics_.ended(facts.job.kind, jobs::Metrics::Ending::superseded,
                               facts.job.attempt);
                co_return jobs::Completed{};
            case Kind::wait:
                co_return wait(facts, std::move(verdict->reason));
            case Kind::refuse:
                co_return jobs::Failed{verdict->reason};
            case Kind::ask:
                whom = verdict->whom;
                break;
        }
        if (attempt.asking == Asking::later) {
            co_await tx.execute(sql::set_aside, pg::Params().text(facts.job.id));
            co_await tx.commit();
            attempt.must_ask = true;
            co_return Ending();
        }
    }
    co_await conflicts_.ask(whom, facts.job.subject, attempt.known);
    co_return Ending();
}

Task<SingleJob::Step> SingleJob::apply(pg::Transaction given, Attempt& attempt) {
    std::optional<pg::SqlError> refusal;
    {
        pg::Transaction tx = std::move(given);
        if (co_await held(tx, attempt.facts)) co_return jobs::Completed{};
        co_await directory_.emails().renew_id(tx, attempt.facts.job.subject);
        auto applied = co_await directory_.apply_job(tx, attempt.facts.job.id);
        if (applied && applied->size() == 0) {
            co_return jobs::Completed{};  // another worker's by now
        }
        if (applied && (*applied)[0].outcome == directory::Outcome::conflict) co_return Ending();
        if (applied) {
            const auto committed = co_await tx.try_commit();
            if (committed) {
                attempt.report(*applied);
                co_return jobs::Completed{};
            }
            refusal = committed.error();
        } else {
            refusal = applied.error();
        }
    }
    co_return co_await refused(attempt, std::move(*refusal));
}

// Whether the job was given up for a person, who may set it going again: it is applied then.
Task<bool> SingleJob::held(pg::Transaction& tx, const JobFacts& facts) {
    if (!hold_ || facts.job.kind != jobs::user_deleted || facts.retried) co_return false;
    const auto reason = co_await hold_->reason(tx, facts.job.subject);
    if (!reason) co_return false;
    const jobs::Outcome ending = jobs::Failed{*reason};
    co_await tx.execute(finish_statement(ending),
                        finish_params(facts.job.id, ending, facts.job.attempt));
    co_await tx.commit();
    metrics_.ended(facts.job.kind, jobs::Metrics::Ending::noop, facts.job.attempt);
    log::warn("deletion_held", {{"job_id", facts.job.id},
                                {"trace_id", jobs::trace_of(facts.job).trace_id()},
                                {"reason", *reason}});
    co_return true;
}

// The row cannot follow (other rows need it, its e-mail may not be empty), but the user is gone:
// the ledger says so, for whoever decides about access, and so does the row where it can. The job
// is tried again until the rest is done. False: that is not what this job is about, or refused too.
Task<bool> SingleJob::forget(const JobFacts& facts, const pg::SqlError& why) {
    using directory::RowDeletion;
    if (facts.job.kind != jobs::user_deleted) co_return false;
    const auto ending = jobs::resolve(jobs::Retry{.reason = reason_of(why), .delay = std::nullopt},
                                      facts.job, retry_, random_);
    for (const RowDeletion row : {RowDeletion::mark, RowDeletion::none}) {
        pg::Transaction tx = co_await directory_.begin(pool_);
        const auto applied = co_await directory_.apply_job(tx, facts.job.id, row);
        if (!applied) continue;
        if (applied->size() == 0) co_return true;  // another worker's by now
        co_await tx.execute(finish_statement(ending),
                            finish_params(facts.job.id, ending, facts.job.attempt));
        if (!co_await tx.try_commit()) continue;
        tell(facts, ending);
        co_return true;
    }
    co_return false;
}

// Clerk cannot be asked now. Without a key it never can: what settles the conflict is a later event
// about the other user, and those come for more than a day.
jobs::Outcome SingleJob::wait(const JobFacts& facts, std::string reason) {
    jobs::Retry retry{.reason = std::move(reason), .delay = std::nullopt, .burns_attempt = false};
    if (clerk_) return retry;
    jobs::RetryPolicy patient = retry_;
    patient.outage_max = std::max<std::chrono::milliseconds>(patient.outage_max, other_event_max);
    return jobs::resolve(std::move(retry), facts.job, patient, random_);
}

// What the server said no to, as the end of this attempt; nothing where another round may
// do. The error: undecided.
Task<SingleJob::Step> SingleJob::refused(Attempt& attempt, pg::SqlError error) {
    const Refusal refusal = judge(error);
    const bool lasting = refusal == Refusal::for_ever || refusal == Refusal::for_now;
    if (lasting && co_await forget(attempt.facts, error)) co_return jobs::Completed{};
    switch (refusal) {
        case Refusal::again:
            attempt.refusal = std::move(error);
            co_return Ending();
        case Refusal::for_ever:
            co_return jobs::Failed{reason_of(error)};
        case Refusal::for_now:
            co_return jobs::Retry{.reason = reason_of(error), .delay = std::nullopt};
        case Refusal::undecided:
            co_return std::unexpected(std::move(error));
        case Refusal::server:
            break;
    }
    pg::rethrow(error);
}

Task<> SingleJob::end(const JobFacts& facts, jobs::Outcome outcome) {
    const auto* retry = std::get_if<jobs::Retry>(&outcome);
    if (retry != nullptr && !retry->delay) {
        outcome = jobs::resolve(std::move(outcome), facts.job, retry_, random_);
    }
    const pg::Rows done = co_await pool_.execute(
        finish_statement(outcome), finish_params(facts.job.id, outcome, facts.job.attempt));
    if (done.affected() > 0) tell(facts, outcome);
}

void SingleJob::tell(const JobFacts& facts, const jobs::Outcome& outcome) {
    const bool dead = std::holds_alternative<jobs::Failed>(outcome);
    metrics_.ended(facts.job.kind,
                   dead ? jobs::Metrics::Ending::dead : jobs::Metrics::Ending::retry,
                   facts.job.attempt);
    const std::string& reason =
        dead ? std::get<jobs::Failed>(outcome).reason : std::get<jobs::Retry>(outcome).reason;
    const std::string trace_id = jobs::trace_of(facts.job).trace_id();
    if (dead) {
        log::error("job_dead", {{"job_id", facts.job.id},
                                {"kind", facts.job.kind},
                                {"trace_id", trace_id},
                                {"reason", reason}});
    } else {
        log::warn("job_retry", {{"job_id", facts.job.id},
                                {"kind", facts.job.kind},
                                {"trace_id", trace_id},
                                {"reason", reason}});
    }
}

}  // namespace rollcall::sync
