// What is to be done with a user's copy in Supabase Auth, decided from what is known of it. Pure.
#pragma once

#include "directory/outbox.hpp"
#include "jobs/outcome.hpp"
#include "supabase/auth_error.hpp"
#include "supabase/auth_user.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rollcall::mirror {

enum class MirrorAction : std::uint8_t { created, updated, unchanged, adopted, removed, skipped };
inline constexpr std::size_t mirror_actions = 6;
[[nodiscard]] std::string_view to_string(MirrorAction action);

// The first step with a row as it is now.
enum class FirstStep : std::uint8_t {
    wait,     // nobody knows whether there is such a user: nothing is touched
    remove,   // no such user any more
    nothing,  // what was last written there is what the row says
    ask,      // no address: another way to identify the user is looked for first
    write,
};
[[nodiscard]] FirstStep first_step(const directory::MirroredRow& row);

// The Auth user that is known to be this row's; "" when none is.
[[nodiscard]] std::string_view known_id(const directory::MirroredRow& row);

// What the row says, its address included.
[[nodiscard]] supabase::AuthChange change_of(std::string_view clerk_id,
                                             const directory::MirroredRow& row);

// Whose an Auth user is, seen from the Clerk user `clerk_id`.
enum class Owner : std::uint8_t { ours, nobody, another };
[[nodiscard]] Owner owner_of(const supabase::AuthUser& user, std::string_view clerk_id);

// What follows from the refusal of a write.
enum class AfterRefusal : std::uint8_t {
    later,     // the job's end says when
    look,      // the user may be there all the same: whether they are is asked
    create,    // there is no such user
    make_way,  // another user may have the address: who it is, is asked
    give_up,
};
// Of a POST, which may have been sent before and its answer lost.
[[nodiscard]] AfterRefusal after_create(const supabase::AuthError& error);
// Of the same POST once it is known that the user is not there.
[[nodiscard]] AfterRefusal after_look(const supabase::AuthError& error, bool with_email);
[[nodiscard]] AfterRefusal after_update(const supabase::AuthError& error, bool with_email);

// The end of an attempt that a refusal ended: later, burning an attempt only when it may be this
// job's fault, or never again.
[[nodiscard]] jobs::Outcome end_of(const supabase::AuthError& error);

}  // namespace rollcall::mirror
