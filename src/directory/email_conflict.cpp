#include "directory/email_conflict.hpp"

#include "base/result.hpp"

namespace rollcall::directory {
namespace {

std::string row_name(const EmailHolder& holder) {
    return holder.clerk_id.empty() ? "row " + holder.row + ", which has no Clerk id"
                                   : holder.clerk_id;
}

EmailDecision wait(const EmailClaim& claim, const EmailHolder& holder, bool can_ask) {
    return {EmailStep::wait,
            "E-mail conflict: " + claim.clerk_id + " has the address of " + row_name(holder) +
                (can_ask ? "; Clerk could not be asked who has it now"
                         : "; without a secret key Clerk cannot be asked who has it now")};
}

EmailDecision refuse(const EmailClaim& claim, const EmailHolder& holder, std::string_view why) {
    return {EmailStep::refuse, "E-mail conflict: " + claim.clerk_id + " has the address of " +
                                   row_name(holder) + "; " + std::string(why)};
}

// The holder's row was made by the application: it becomes the claimant's if the address is.
EmailDecision decide_adoption(const EmailClaim& claim, const EmailSituation& situation,
                              EmailAnswer of_claimant, bool can_ask) {
    const EmailHolder& holder = *situation.holder;
    if (!situation.own_row.empty()) {
        return refuse(claim, holder,
                      "it cannot be adopted, " + claim.clerk_id + " has row " + situation.own_row);
    }
    if (claim.verified == true) return {EmailStep::adopt, {}};
    if (claim.verified == false) {
        return refuse(claim, holder, "it is adopted only when Clerk has verified the address");
    }
    switch (of_claimant) {
        case EmailAnswer::not_asked:
            return can_ask ? EmailDecision{EmailStep::ask_claimant, {}}
                           : wait(claim, holder, can_ask);
        case EmailAnswer::unreachable:
            return wait(claim, holder, can_ask);
        case EmailAnswer::no_such_user:
        case EmailAnswer::has_another:
            return {EmailStep::overtaken, {}};
        case EmailAnswer::has_it:
        case EmailAnswer::no_id_of_clerks:
            return refuse(claim, holder, "it is adopted only when Clerk has verified the address");
        case EmailAnswer::has_it_verified:
            return {EmailStep::adopt, {}};
    }
    bug("an answer that is none", std::source_location::current());
}

}  // namespace

EmailDecision decide(const EmailClaim& claim, const EmailSituation& situation,
                     EmailAnswer of_claimant, EmailAnswer of_holder, bool can_ask) {
    const bool loses = situation.deleted || (can_ask && situation.version == claim.version);
    const bool overtaken = situation.version > claim.version && !(claim.read && situation.settled);
    if (!situation.holder || overtaken || (loses && !claim.read)) {
        return {EmailStep::apply, {}};  // nothing stands in the way, or it will not be written
    }
    const EmailHolder& holder = *situation.holder;
    if (holder.deleted || holder.leaves) return {EmailStep::release, {}};
    if (holder.clerk_id.empty()) return decide_adoption(claim, situation, of_claimant, can_ask);
    switch (of_holder) {
        case EmailAnswer::not_asked:
            return can_ask ? EmailDecision{EmailStep::ask_holder, {}}
                           : wait(claim, holder, can_ask);
        case EmailAnswer::unreachable:
            return wait(claim, holder, can_ask);
        case EmailAnswer::no_such_user:  // whether it is deleted is not for this to conclude
        case EmailAnswer::has_another:
            return {EmailStep::hand_over, {}};
        case EmailAnswer::no_id_of_clerks:
            return refuse(claim, holder, "that is no id of Clerk's");
        case EmailAnswer::has_it:
        case EmailAnswer::has_it_verified:
            break;
    }
    // The claimant may have moved on since the change was made, or be gone.
    switch (of_claimant) {
        case EmailAnswer::not_asked:
            return {EmailStep::ask_claimant, {}};
        case EmailAnswer::unreachable:
            return wait(claim, holder, can_ask);
        case EmailAnswer::no_such_user:
        case EmailAnswer::has_another:
            return {EmailStep::overtaken, {}};
        case EmailAnswer::has_it:
        case EmailAnswer::has_it_verified:
        case EmailAnswer::no_id_of_clerks:
            break;
    }
    return refuse(claim, holder, "Clerk says that " + holder.clerk_id + " still has it");
}

}  // namespace rollcall::directory
