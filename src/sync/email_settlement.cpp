#include "sync/email_settlement.hpp"

#include "jobs/reason.hpp"
#include "sync/ask_clerk.hpp"

#include <array>
#include <utility>

namespace rollcall::sync {
namespace {

using directory::EmailAnswer;
using directory::EmailStep;
using directory::Outcome;
using How = Settled::How;

// Somebody else changed the rows between two looks, or a deadlock was broken: at most so often in a
// row, then the change waits for another time.
constexpr int rounds_max = 8;

constexpr std::string_view foreign_key_violation = "23503";

}  // namespace

// What Clerk has said in the course of one settlement.
struct EmailSettlement::Knowledge {
    EmailAnswer of_claimant = EmailAnswer::not_asked;
    EmailAnswer of_holder = EmailAnswer::not_asked;
    std::string holder;  // whom `of_holder` is about
    SystemTime asked_at;
};

EmailSettlement::EmailSettlement(pg::Pool& pool, directory::Directory& directory,
                                 clerk::BackendApi* clerk)
    : pool_(pool), directory_(directory), clerk_(clerk) {}

Task<Settled> EmailSettlement::settle(std::optional<directory::EmailClaim> claim, Apply apply) {
    Knowledge known;
    for (int round = 0; round < rounds_max; ++round) {
        std::optional<Settled> settled;
        if (claim) {
            settled = co_await try_step(*claim, apply, known);
        } else {
            pg::Transaction tx = co_await directory_.begin(pool_);
            settled = co_await commit(tx, apply);
        }
        if (settled) co_return std::move(*settled);
    }
    co_return Settled{.how = How::wait, .reason = "others change the same rows all the time"};
}

// One look and what follows from it; nothing when it is to be looked again.
Task<std::optional<Settled>> EmailSettlement::try_step(const directory::EmailClaim& claim,
                                                       const Apply& apply, Knowledge& known) {
    pg::Transaction tx = co_await directory_.begin(pool_);
    const auto situation = co_await directory_.emails().look(tx, claim);
    if (situation.holder && situation.holder->clerk_id != known.holder) {
        known.of_holder = EmailAnswer::not_asked;
        known.holder = situation.holder->clerk_id;
    }
    const auto decision =
        directory::decide(claim, situation, known.of_claimant, known.of_holder, clerk_ != nullptr);
    switch (decision.step) {
        case EmailStep::wait:
            co_return Settled{.how = How::wait, .reason = decision.reason};
        case EmailStep::refuse:
            co_return Settled{.how = How::refused, .reason = decision.reason};
        case EmailStep::ask_holder:
        case EmailStep::ask_claimant:
            break;
        default: {
            if (!co_await act(tx, claim, situation, decision.step, known)) co_return std::nullopt;
            if (decision.step != EmailStep::overtaken) co_return co_await commit(tx, apply);
            co_await tx.commit();
            co_return Settled{.how = How::overtaken};
        }
    }
    co_await tx.commit();  // nothing was written; the connection is free while Clerk is asked
    if (decision.step == EmailStep::ask_claimant) {
        known.of_claimant = co_await ask(claim.clerk_id, claim);
    } else {
        known.asked_at = co_await directory::database_now(pool_);
        known.of_holder = co_await ask(known.holder, claim);
    }
    co_return std::nullopt;
}

// False when the rows are not as they were when it was decided.
Task<bool> EmailSettlement::act(pg::Transaction& tx, const directory::EmailClaim& claim,
                                const directory::EmailSituation& situation, EmailStep step,
                                const Knowledge& known) {
    auto& emails = directory_.emails();
    if (!situation.holder) {
        co_await emails.renew_id(tx, claim.clerk_id);
        co_return true;
    }
    const directory::EmailHolder& holder = *situation.holder;
    co_await emails.lock(tx, claim.clerk_id, holder.clerk_id);
    if (!(co_await emails.look(tx, claim) == situation)) co_return false;
    switch (step) {
        case EmailStep::release:
            co_await emails.release(tx, holder);
            break;
        case EmailStep::hand_over:
            co_await emails.release(tx, holder);
            co_await emails.ask_again(tx, holder.clerk_id);
            break;
        case EmailStep::delete_holder: {
            const std::array<directory::Read, 1> gone{
                directory::Read{.clerk_id = holder.clerk_id,
                                .state = directory::Deletion{known.asked_at},
                                .asked_at = known.asked_at}};
            if (!co_await directory_.apply(tx, gone)) co_return false;
            break;
        }
        case EmailStep::adopt:
            if (!co_await emails.adopt(tx, holder, claim.clerk_id)) co_return false;
            break;
        case EmailStep::overtaken:
            co_await emails.ask_again(tx, claim.clerk_id);
            break;
        default:
            break;
    }
    co_await emails.renew_id(tx, claim.clerk_id);
    co_return true;
}

Task<std::optional<Settled>> EmailSettlement::commit(pg::Transaction& tx, const Apply& apply) {
    const auto applied = co_await apply(tx);
    if (applied && !*applied) co_return Settled{.how = How::gone};
    if (applied && **applied == Outcome::conflict) co_return std::nullopt;
    std::optional<pg::SqlError> refusal;
    if (!applied) {
        refusal = applied.error();
    } else if (const auto done = co_await tx.try_commit(); !done) {
        refusal = done.error();
    } else {
        co_return Settled{.how = How::applied, .outcome = **applied};
    }
    // Another row with the same e-mail came between the look and the write.
    if (refusal->transient() || refusal->unique_violation()) co_return std::nullopt;
    co_return Settled{.how = How::failed,
                      .reason = jobs::reason_of(*refusal),
                      .row_is_needed = refusal->sqlstate() == foreign_key_violation};
}

Task<EmailAnswer> EmailSettlement::ask(const std::string& id, const directory::EmailClaim& claim) {
    const auto user = co_await ask_clerk(clerk_, id);
    if (!user) co_return EmailAnswer::unreachable;
    if (!*user) co_return EmailAnswer::no_such_user;
    const auto& email = (*user)->email;
    if (!email || !directory_.emails().same(*email, claim.email)) {
        co_return EmailAnswer::has_another;
    }
    co_return (*user)->email_verified ? EmailAnswer::has_it_verified : EmailAnswer::has_it;
}

}  // namespace rollcall::sync
