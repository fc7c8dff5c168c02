#include "sync/refresh.hpp"

#include "sync/ask_clerk.hpp"
#include "sync/email_conflicts.hpp"
#include "sync/refusal.hpp"

#include <optional>
#include <string>
#include <utility>

namespace rollcall::sync {
namespace {

constexpr int rounds_max = 8;

// Whoever waits for an address waits for an answer that Clerk did not give, or for other rows.
RunFailure failure_of(const EmailConflicts::Known& known) {
    for (const auto& [whom, answer] : known) {
        if (answer.kind == ClerkAnswer::Kind::unreachable) return answer.failure;
    }
    return RunFailure::refused_rows;
}

}  // namespace

Refresh::Refresh(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi& clerk,
                 DeletionGuard guard)
    : pool_(pool),
      directory_(directory),
      clerk_(pool, clerk),
      absences_(pool, guard),
      conflicts_(directory, &clerk_) {}

Task<jobs::Outcome> Refresh::handle(const jobs::Job& job) {
    if (job.subject.empty()) co_return jobs::Failed{"Unusable job: it names no user"};
    Refreshed refreshed = co_await refresh(job.subject);
    co_return std::move(refreshed.ending);
}

Task<Refreshed> Refresh::refresh(std::string clerk_id) {
    ClerkAnswer answer = co_await clerk_.ask(clerk_id);
    switch (answer.kind) {
        case ClerkAnswer::Kind::unreachable:
            co_return Refreshed{
                .ending =
                    jobs::Retry{.reason = "Clerk gave no answer that counts: " + answer.reason,
                                .delay = std::nullopt,
                                .burns_attempt = false},
                .failure = answer.failure};
        case ClerkAnswer::Kind::no_id_of_clerks:
            co_return Refreshed{
                .ending = jobs::Failed{"Unusable job: " + clerk_id + " is no id of Clerk's"}};
        case ClerkAnswer::Kind::no_such_user:
            if (auto doubt = co_await absences_.missing(clerk_id)) {
                co_return Refreshed{.ending = std::move(*doubt),
                                    .failure = RunFailure::inconsistent};
            }
            break;
        case ClerkAnswer::Kind::user:
            co_await absences_.found(clerk_id);
            break;
    }
    co_return co_await settle(std::move(clerk_id), std::move(answer));
}

Task<Refreshed> Refresh::settle(std::string clerk_id, ClerkAnswer answer) {
    const directory::Read read = read_of(answer, clerk_id, directory_.columns());
    EmailConflicts::Known known;
    known.emplace(std::move(clerk_id), std::move(answer));
    for (int number = 0; number < rounds_max; ++number) {
        auto ending = co_await round(read, known);
        const bool done = ending && std::holds_alternative<jobs::Completed>(ending->ending);
        if (number == 0 && !done) co_await directory_.curbs().of_read(pool_, read);
        if (ending && ending->held) co_return co_await hold(read.clerk_id);
        if (ending) co_return std::move(*ending);
    }
    co_return Refreshed{.ending =
                            jobs::Retry{.reason = "The rows change faster than this job can follow",
                                        .delay = std::nullopt}};
}

Task<std::optional<Refreshed>> Refresh::round(const directory::Read& read,
                                              EmailConflicts::Known& known) {
    using Kind = EmailConflicts::Verdict::Kind;
    std::string whom;
    {
        pg::Transaction tx = co_await directory_.begin(pool_);
        directory::Answer<EmailConflicts::Verdict> verdict{};
        const auto* snapshot = std::get_if<directory::Snapshot>(&read.state);
        if (snapshot != nullptr && snapshot->email) {
            verdict = co_await conflicts_.clear_way(tx,
                                                    {.clerk_id = read.clerk_id,
                                                     .email = *snapshot->email,
                                                     .version = snapshot->version,
                                                     .verified = std::nullopt,
                                                     .read = true},
                                                    known);
        }
        if (!verdict) co_return refused(verdict.error());
        switch (verdict->kind) {
            case Kind::clear:
                co_return co_await apply(std::move(tx), read);
            case Kind::again:
                co_return Ending();
            case Kind::overtaken:
            case Kind::wait:
                co_return Refreshed{.ending = jobs::Retry{.reason = verdict->reason,
                                                          .delay = std::nullopt,
                                                          .burns_attempt = false},
                                    .failure = failure_of(known)};
            case Kind::refuse:
                co_return Refreshed{.ending = jobs::Failed{verdict->reason}};
            case Kind::ask:
                whom = verdict->whom;
                break;
        }
    }
    co_await conflicts_.ask(whom, read.clerk_id, known);
    co_return Ending();
}

Task<std::optional<Refreshed>> Refresh::apply(pg::Transaction tx, const directory::Read& read) {
    co_await directory_.emails().renew_id(tx, read.clerk_id);
    const auto applied = co_await directory_.apply(tx, {&read, 1});
    if (!applied) co_return refused(applied.error());
    const directory::Outcome outcome = applied->front().outcome;
    if (outcome == directory::Outcome::conflict) co_return Ending();
    if (outcome == directory::Outcome::tie) {
        co_return Refreshed{
            .ending = jobs::Retry{.reason = "Something was learned while Clerk was being asked",
                                  .delay = std::nullopt,
                                  .burns_attempt = false}};
    }
    if (outcome == directory::Outcome::deleted) {
        if (!co_await absences_.conclude(tx, read.clerk_id)) co_return Refreshed{.held = true};
    }
    const auto committed = co_await tx.try_commit();
    if (!committed) co_return refused(committed.error());
    if (observer_) observer_(jobs::refresh_user, read.clerk_id, outcome);
    co_return Refreshed{
        .ending = jobs::Completed{R"({"outcome":")" + std::string(to_string(outcome)) + R"("})"},
        .applied = applied->front()};
}

Task<Refreshed> Refresh::hold(const std::string& clerk_id) {
    auto retry = co_await absences_.hold(clerk_id);
    if (held_observer_) held_observer_();
    co_return Refreshed{.ending = std::move(retry), .held = true};
}

std::optional<Refreshed> Refresh::refused(const pg::SqlError& error) const {
    switch (judge(error)) {
        case Refusal::again:
            return std::nullopt;
        case Refusal::for_ever:
            return Refreshed{.ending = jobs::Failed{reason_of(error)}};
        case Refusal::for_now:
            return Refreshed{.ending =
                                 jobs::Retry{.reason = reason_of(error), .delay = std::nullopt}};
        case Refusal::undecided:  // its attempts count once it is a day old
            return Refreshed{.ending = jobs::Retry{.reason = reason_of(error),
                                                   .delay = std::nullopt,
                                                   .burns_attempt = false}};
        case Refusal::server:
            break;
    }
    pg::rethrow(error);
}

}  // namespace rollcall::sync
