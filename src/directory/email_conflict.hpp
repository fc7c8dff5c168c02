// Two users, one e-mail: `email` is unique in the table, so a change that wants another row's
// address waits until it is decided who has it. Pure: `decide` is given what is known and says what
// to do next, asking Clerk included; email_rows.hpp reads and changes the rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace rollcall::directory {

// The change that wants an address.
struct EmailClaim {
    std::string clerk_id;
    std::string email;  // personal data: never part of a message
    std::int64_t version = 0;
    // Whether Clerk has verified that the address is the user's; absent: the change does not say.
    std::optional<bool> verified;
    bool read = false;  // what Clerk answered: wins over an equal version and over a deletion
};

struct EmailHolder {
    std::string row;       // internal id
    std::string clerk_id;  // "": a row without one
    bool deleted = false;
    // A newer change of the holder's that waits in the queue gives the address up. Only looked for
    // where Clerk cannot be asked.
    bool leaves = false;

    friend bool operator==(const EmailHolder&, const EmailHolder&) = default;
};

// What the database says of it.
struct EmailSituation {
    std::optional<std::int64_t> version;  // of the claimant's newest snapshot
    bool settled = false;                 // a read that finds an older version counts all the same
    bool deleted = false;                 // the claimant is
    std::string own_row;                  // the claimant's, "" when there is none
    std::optional<EmailHolder> holder;    // of the address

    friend bool operator==(const EmailSituation&, const EmailSituation&) = default;
};

// What Clerk says of one user and the address.
enum class EmailAnswer : std::uint8_t {
    not_asked,
    unreachable,   // no answer; another time
    no_such_user,  // said twice
    has_another,   // the user exists and has not this address (or none)
    has_it,
    has_it_verified,
    no_id_of_clerks,  // what the row has as Clerk id cannot be one
};

enum class EmailStep : std::uint8_t {
    apply,       // nothing stands in the way
    release,     // the holder's row gives the address up: its user is deleted, or about to leave it
    hand_over,   // … has another address by now, or Clerk knows no such user: read that user again
    adopt,       // the holder's row becomes the claimant's
    ask_holder,  // Clerk, then decide again
    ask_claimant,
    overtaken,  // the claimant has another address by now, or is gone: read that user again
    wait,       // until Clerk can be asked
    refuse,     // both have it
};

struct EmailDecision {
    EmailStep step = EmailStep::apply;
    std::string reason;  // of wait and refuse: names both ids, no personal data
};

[[nodiscard]] EmailDecision decide(const EmailClaim& claim, const EmailSituation& situation,
                                   EmailAnswer of_claimant, EmailAnswer of_holder, bool can_ask);

}  // namespace rollcall::directory
