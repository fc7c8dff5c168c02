#include "sync/email_conflicts.hpp"

#include "sync/sql.hpp"

#include <utility>

namespace rollcall::sync {

using directory::EmailAnswer;
using directory::EmailStep;
using Kind = EmailConflicts::Verdict::Kind;

namespace {

// Why there is no answer that counts.
std::string silence(const EmailConflicts::Known& known) {
    for (const auto& [whom, answer] : known) {
        if (answer.kind == ClerkAnswer::Kind::unreachable) return ": " + answer.reason;
    }
    return {};
}

}  // namespace

EmailAnswer EmailConflicts::answer_of(const std::string& whom, const directory::EmailClaim& claim,
                                      const Known& known) const {
    const auto found = known.find(whom);
    if (found == known.end()) return EmailAnswer::not_asked;
    const ClerkAnswer& answer = found->second;
    switch (answer.kind) {
        case ClerkAnswer::Kind::unreachable:
            return EmailAnswer::unreachable;
        case ClerkAnswer::Kind::no_such_user:
            return EmailAnswer::no_such_user;
        case ClerkAnswer::Kind::no_id_of_clerks:
            return EmailAnswer::no_id_of_clerks;
        case ClerkAnswer::Kind::user:
            break;
    }
    if (!answer.user->email || !directory_.emails().same(*answer.user->email, claim.email)) {
        return EmailAnswer::has_another;
    }
    return answer.user->email_verified ? EmailAnswer::has_it_verified : EmailAnswer::has_it;
}

Task<directory::EmailSituation> EmailConflicts::look(pg::Transaction& tx,
                                                     const directory::EmailClaim& claim) {
    auto seen = co_await directory_.emails().look(tx, claim);
    if (clerk_ == nullptr && seen.holder && !seen.holder->clerk_id.empty()) {
        const pg::Rows waiting = co_await tx.execute(
            sql::holder_leaves, pg::Params().text(seen.holder->clerk_id).text(claim.email));
        seen.holder->leaves = waiting.boolean(0, 0);
    }
    co_return seen;
}

Task<directory::Answer<EmailConflicts::Verdict>> EmailConflicts::clear_way(
    pg::Transaction& tx, const directory::EmailClaim& claim, const Known& known) {
    directory::EmailRows& rows = directory_.emails();
    const auto seen = co_await look(tx, claim);
    const std::string holder = seen.holder ? seen.holder->clerk_id : "";
    const auto decision = directory::decide(claim, seen, answer_of(claim.clerk_id, claim, known),
                                            answer_of(holder, claim, known), clerk_ != nullptr);
    switch (decision.step) {
        case EmailStep::apply:
            co_return Verdict{};
        case EmailStep::ask_claimant:
            co_return Verdict{Kind::ask, claim.clerk_id, {}};
        case EmailStep::ask_holder:
            co_return Verdict{Kind::ask, holder, {}};
        case EmailStep::wait:
            co_return Verdict{Kind::wait, {}, decision.reason + silence(known)};
        case EmailStep::refuse:
            co_return Verdict{Kind::refuse, {}, decision.reason};
        case EmailStep::overtaken:
            co_await rows.ask_again(tx, claim.clerk_id);
            co_return Verdict{Kind::overtaken, {}, {}};
        case EmailStep::release:
        case EmailStep::hand_over:
        case EmailStep::adopt:
            break;
    }
    co_await rows.lock(tx, claim.clerk_id, holder);
    if (co_await look(tx, claim) != seen) co_return Verdict{Kind::again, {}, {}};
    co_return co_await act(tx, claim, decision.step, *seen.holder);
}

Task<directory::Answer<EmailConflicts::Verdict>> EmailConflicts::act(
    pg::Transaction& tx, const directory::EmailClaim& claim, EmailStep step,
    const directory::EmailHolder& holder) {
    directory::EmailRows& rows = directory_.emails();
    if (step == EmailStep::adopt) {
        const auto adopted = co_await rows.adopt(tx, holder, claim.clerk_id);
        if (!adopted) co_return std::unexpected(adopted.error());
        co_return Verdict{*adopted ? Kind::clear : Kind::again, {}, {}};
    }
    const auto released = co_await rows.release(tx, holder);
    if (!released) co_return std::unexpected(released.error());
    if (step == EmailStep::hand_over) co_await rows.ask_again(tx, holder.clerk_id);
    co_return Verdict{};
}

Task<> EmailConflicts::ask(const std::string& whom, const std::string& claimant, Known& known) {
    ensure(clerk_ != nullptr, "Clerk asked without a key");
    known[whom] = co_await clerk_->ask(whom, claimant);
}

}  // namespace rollcall::sync
