#include "mirror/plan.hpp"

#include <array>
#include <utility>

namespace rollcall::mirror {
namespace {

using supabase::AuthError;
using supabase::AuthFault;

}  // namespace

std::string_view to_string(MirrorAction action) {
    constexpr std::array<std::string_view, mirror_actions> names{"created", "updated", "unchanged",
                                                                 "adopted", "removed", "skipped"};
    return names.at(static_cast<std::size_t>(action));
}

FirstStep first_step(const directory::MirroredRow& row) {
    if (row.existence == directory::Existence::deleted) return FirstStep::remove;
    if (row.existence == directory::Existence::unknown) return FirstStep::wait;
    if (row.email.empty()) return FirstStep::ask;
    if (!known_id(row).empty() && row.written_hash == row.content_hash) return FirstStep::nothing;
    return FirstStep::write;
}

std::string_view known_id(const directory::MirroredRow& row) {
    return row.skipped.empty() ? std::string_view(row.auth_id) : std::string_view();
}

supabase::AuthChange change_of(std::string_view clerk_id, const directory::MirroredRow& row) {
    supabase::AuthChange change;
    change.clerk_id = clerk_id;
    if (!row.email.empty()) change.email = row.email;
    if (!row.name.empty()) change.name = row.name;
    change.role = row.role;
    change.banned = row.banned;
    return change;
}

Owner owner_of(const supabase::AuthUser& user, std::string_view clerk_id) {
    if (user.clerk_id.empty()) return Owner::nobody;
    return user.clerk_id == clerk_id ? Owner::ours : Owner::another;
}

AfterRefusal after_create(const AuthError& error) {
    if (!error.sent || error.fault == AuthFault::rate_limited ||
        error.fault == AuthFault::key_refused) {
        return AfterRefusal::later;
    }
    const bool final = error.fault == AuthFault::invalid || error.fault == AuthFault::constrained;
    return final ? AfterRefusal::give_up : AfterRefusal::look;
}

AfterRefusal after_look(const AuthError& error, bool with_email) {
    switch (error.fault) {
        case AuthFault::email_taken:
        case AuthFault::taken:
            return with_email ? AfterRefusal::make_way : AfterRefusal::give_up;
        case AuthFault::phone_taken:
        case AuthFault::invalid:
        case AuthFault::constrained:
            return AfterRefusal::give_up;
        default:
            return AfterRefusal::later;
    }
}

AfterRefusal after_update(const AuthError& error, bool with_email) {
    switch (error.fault) {
        case AuthFault::not_found:
            return AfterRefusal::create;
        case AuthFault::email_taken:
        case AuthFault::taken:
            return with_email ? AfterRefusal::make_way : AfterRefusal::give_up;
        case AuthFault::opaque:  // how an Auth that hides the cause says that an address is taken
            return with_email ? AfterRefusal::make_way : AfterRefusal::later;
        case AuthFault::phone_taken:
        case AuthFault::invalid:
        case AuthFault::constrained:
            return AfterRefusal::give_up;
        default:
            return AfterRefusal::later;
    }
}

jobs::Outcome end_of(const AuthError& error) {
    switch (error.fault) {
        case AuthFault::phone_taken:
            return jobs::Failed{error.message + ": another Auth user has the phone number"};
        case AuthFault::taken:
        case AuthFault::email_taken:
            return jobs::Failed{error.message +
                                ": another Auth user has the address, the phone number or the id"};
        case AuthFault::constrained:
            return jobs::Failed{error.message + ": a constraint of its database forbids it"};
        case AuthFault::invalid:
            return jobs::Failed{error.message};
        default:
            break;
    }
    jobs::Retry retry{.reason = error.message, .delay = std::nullopt, .burns_attempt = true};
    retry.burns_attempt = !error.passes();
    return retry;
}

}  // namespace rollcall::mirror
