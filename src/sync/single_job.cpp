#include "sync/single_job.hpp"

#include "base/log.hpp"
#include "crypto/encoding.hpp"
#include "sync/refusal.hpp"
#include "sync/sql.hpp"

#include <chrono>
#include <utility>

namespace rollcall::sync {
namespace {

constexpr int rounds_max = 8;

std::optional<std::string> exact_bytes(const std::optional<std::string>& stored) {
    constexpr std::string_view mark = "base64:";
    if (!stored || !stored->starts_with(mark)) return stored;
    return crypto::base64_decode(std::string_view(*stored).substr(mark.size()));
}

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
                     const jobs::RetryPolicy& retry, jobs::Metrics& metrics)
    : pool_(pool),
      directory_(directory),
      clerk_(clerk != nullptr ? std::make_optional<ClerkReader>(pool, *clerk) : std::nullopt),
      retry_(retry),
      metrics_(metrics),
      conflicts_(directory, clerk_ ? &*clerk_ : nullptr) {}

Task<std::optional<JobFacts>> SingleJob::look(const std::string& id) {
    const pg::Rows rows = co_await pool_.execute(sql::job_facts, pg::Params().text(id));
    if (rows.empty()) co_return std::nullopt;
    JobFacts out;
    out.job.id = id;
    out.job.kind = rows.text(0, 0);
    out.job.subject = rows.text(0, 1);
    if (const auto email = rows.maybe(0, 2)) out.email = std::string(*email);
    out.version = rows.bigint(0, 3);
    out.job.attempt = static_cast<int>(rows.bigint(0, 4)) + 1;
    out.job.attempts_max = static_cast<int>(rows.bigint(0, 5));
    out.job.fence = rows.bigint(0, 6) + 1;
    out.job.age = std::chrono::milliseconds(rows.bigint(0, 7));
    if (const auto event = rows.maybe(0, 8)) out.job.original_event = std::string(*event);
    out.touched_at = rows.number(0, 9);
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
    if (const auto bytes = exact_bytes(facts.job.original_event)) {
        const clerk::Event event = parser_.parse(*bytes);
        const auto* user = std::get_if<clerk::User>(&event.data);
        if (user != nullptr && user->id == claim.clerk_id && user->email == claim.email) {
            claim.verified = user->email_verified;
        }
    }
    return claim;
}

Task<directory::Answer<void>> SingleJob::run(std::string id, Report report) {
    const auto facts = co_await look(id);
    if (!facts) co_return directory::Answer<void>();
    EmailConflicts::Known known;
    for (int number = 0; number < rounds_max; ++number) {
        auto step = co_await round(*facts, known, report);
        if (!step) co_return std::unexpected(std::move(step.error()));
        Ending& ending = *step;
        if (!ending) continue;
        if (!std::holds_alternative<jobs::Completed>(*ending)) {
            co_await end(*facts, std::move(*ending));
        }
        co_return directory::Answer<void>();
    }
    co_await end(*facts, jobs::Retry{.reason = "The rows of " + facts->job.subject +
                                               " change faster than this job can follow",
                                     .delay = std::nullopt});
    co_return directory::Answer<void>();
}

Task<> SingleJob::charge(std::string id, const pg::SqlError& refusal, double last_applied_at) {
    const auto facts = co_await look(id);
    if (!facts) co_return;
    const bool own = own_fault(facts->job.attempt - 1, facts->touched_at, last_applied_at);
    co_await end(
        *facts,
        jobs::Retry{.reason = reason_of(refusal), .delay = std::nullopt, .burns_attempt = own});
}

Task<SingleJob::Step> SingleJob::round(const JobFacts& facts, EmailConflicts::Known& known,
                                       const Report& report) {
    using Kind = EmailConflicts::Verdict::Kind;
    std::string whom;
    {
        pg::Transaction tx = co_await directory_.begin(pool_);
        directory::Answer<EmailConflicts::Verdict> verdict{};
        if (const auto claim = claim_of(facts)) {
            verdict = co_await conflicts_.clear_way(tx, *claim, known);
        }
        if (!verdict) co_return refused(verdict.error());
        switch (verdict->kind) {
            case Kind::clear:
                co_return co_await apply(std::move(tx), facts, report);
            case Kind::again:
                co_return Ending();
            case Kind::overtaken:
                co_await tx.execute(sql::complete_superseded, pg::Params().text(facts.job.id));
                co_await tx.commit();
                metrics_.ended(facts.job.kind, jobs::Metrics::Ending::superseded,
                               facts.job.attempt);
                co_return jobs::Completed{};
            case Kind::wait:
                co_return jobs::Retry{
                    .reason = verdict->reason, .delay = std::nullopt, .burns_attempt = !clerk_};
            case Kind::refuse:
                co_return jobs::Failed{verdict->reason};
            case Kind::ask:
                whom = verdict->whom;
                break;
        }
    }
    co_await conflicts_.ask(whom, known);
    co_return Ending();
}

Task<SingleJob::Step> SingleJob::apply(pg::Transaction tx, const JobFacts& facts,
                                       const Report& report) {
    co_await directory_.emails().renew_id(tx, facts.job.subject);
    auto applied = co_await directory_.apply_job(tx, facts.job.id);
    if (applied && applied->size() == 0) co_return jobs::Completed{};  // another worker's by now
    if (applied && (*applied)[0].outcome == directory::Outcome::conflict) co_return Ending();
    if (applied) {
        const auto committed = co_await tx.try_commit();
        if (!committed) co_return refused(committed.error());
        report(*applied);
        co_return jobs::Completed{};
    }
    const pg::SqlError& error = applied.error();
    if (error.sqlstate() == foreign_key_violation && facts.job.kind == jobs::user_deleted) {
        const pg::SqlError why = error;
        {
            const pg::Transaction ended = std::move(tx);
        }
        co_return co_await forget(facts, why);
    }
    co_return refused(error);
}

// The row cannot go because other rows need it, but the user is gone: the ledger says so, for
// whoever decides about access, and the job is tried again until the row can follow.
Task<SingleJob::Step> SingleJob::forget(const JobFacts& facts, const pg::SqlError& why) {
    const auto ending = jobs::resolve(jobs::Retry{.reason = reason_of(why), .delay = std::nullopt},
                                      facts.job, retry_, random_);
    pg::Transaction tx = co_await directory_.begin(pool_);
    const auto applied = co_await directory_.apply_job(tx, facts.job.id, /*keep_row=*/true);
    if (!applied) co_return refused(applied.error());
    if (applied->size() == 0) co_return jobs::Completed{};
    co_await tx.execute(finish_statement(ending),
                        finish_params(facts.job.id, ending, facts.job.attempt));
    co_await tx.commit();
    const bool dead = std::holds_alternative<jobs::Failed>(ending);
    metrics_.ended(facts.job.kind,
                   dead ? jobs::Metrics::Ending::dead : jobs::Metrics::Ending::retry,
                   facts.job.attempt);
    co_return jobs::Completed{};
}

// What the server said no to, as the end of this attempt; nothing where another round may
// do. The error: undecided.
SingleJob::Step SingleJob::refused(const pg::SqlError& error) {
    switch (judge(error)) {
        case Refusal::again:
            return Ending();
        case Refusal::for_ever:
            return jobs::Failed{reason_of(error)};
        case Refusal::for_now:
            return jobs::Retry{.reason = reason_of(error), .delay = std::nullopt};
        case Refusal::undecided:
            return std::unexpected(error);
        case Refusal::server:
            break;
    }
    pg::rethrow(error);
}

Task<> SingleJob::end(const JobFacts& facts, jobs::Outcome outcome) {
    outcome = jobs::resolve(std::move(outcome), facts.job, retry_, random_);
    const bool dead = std::holds_alternative<jobs::Failed>(outcome);
    const pg::Rows done = co_await pool_.execute(
        finish_statement(outcome), finish_params(facts.job.id, outcome, facts.job.attempt));
    if (done.affected() == 0) co_return;
    metrics_.ended(facts.job.kind,
                   dead ? jobs::Metrics::Ending::dead : jobs::Metrics::Ending::retry,
                   facts.job.attempt);
    const std::string& reason =
        dead ? std::get<jobs::Failed>(outcome).reason : std::get<jobs::Retry>(outcome).reason;
    if (dead) {
        log::error("job_dead",
                   {{"job_id", facts.job.id}, {"kind", facts.job.kind}, {"reason", reason}});
    } else {
        log::warn("job_retry",
                  {{"job_id", facts.job.id}, {"kind", facts.job.kind}, {"reason", reason}});
    }
}

}  // namespace rollcall::sync
