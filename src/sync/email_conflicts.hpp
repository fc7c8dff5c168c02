// Clears the way for a user's e-mail when another row holds it: asks Clerk, and changes the other
// row, as directory/email_conflict.hpp decides. Works in the caller's transaction, round by round:
// Clerk is never asked while a transaction is open.
#pragma once

#include "base/task.hpp"
#include "directory/directory.hpp"
#include "pg/pool.hpp"
#include "sync/ask_clerk.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace rollcall::sync {

class EmailConflicts {
public:
    // `clerk` may be null. Both must outlive this.
    EmailConflicts(directory::Directory& directory, ClerkReader* clerk)
        : directory_(directory), clerk_(clerk) {}

    // What Clerk said so far, for one claim; by Clerk id.
    using Known = std::map<std::string, ClerkAnswer, std::less<>>;

    struct Verdict {
        enum class Kind : std::uint8_t {
            clear,      // apply in this transaction
            ask,        // roll back, ask() for `whom`, try again
            again,      // roll back and try again: somebody else was faster
            overtaken,  // a newer state of the claimant is to be read instead
            wait,       // for Clerk
            refuse,
        };
        Kind kind = Kind::clear;
        std::string whom;
        std::string reason;
    };
    // `forbidden` SQL of the application's is the outer error.
    Task<directory::Answer<Verdict>> clear_way(pg::Transaction& tx,
                                               const directory::EmailClaim& claim,
                                               const Known& known);
    // `claimant` is a user of ours: an event or a read was about it.
    Task<> ask(const std::string& whom, const std::string& claimant, Known& known);

private:
    Task<directory::EmailSituation> look(pg::Transaction& tx, const directory::EmailClaim& claim);
    Task<directory::Answer<Verdict>> act(pg::Transaction& tx, const directory::EmailClaim& claim,
                                         directory::EmailStep step,
                                         const directory::EmailHolder& holder);
    [[nodiscard]] directory::EmailAnswer answer_of(const std::string& whom,
                                                   const directory::EmailClaim& claim,
                                                   const Known& known) const;

    directory::Directory& directory_;
    ClerkReader* clerk_;
};

}  // namespace rollcall::sync
