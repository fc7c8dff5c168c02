// Applies one change whose e-mail another row may hold. Looks, asks Clerk where that decides it
// (outside any transaction: no connection waits for Clerk), and then looks again, acts and applies
// in one transaction, under the locks of both users. What changed meanwhile starts it over.
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "directory/change.hpp"
#include "directory/directory.hpp"
#include "directory/email_conflict.hpp"
#include "pg/pool.hpp"

#include <functional>
#include <optional>
#include <string>

namespace rollcall::sync {

struct Settled {
    enum class How : std::uint8_t {
        applied,    // `outcome` says what came of it; committed
        gone,       // the change is not there any more, or another worker has it
        overtaken,  // the claimant has another address by now: a REFRESH_USER job reads it
        wait,       // Clerk cannot be asked now; `reason` names both ids
        refused,    // both users have the address; `reason` names both ids
        failed,     // the table refuses the change: `reason`
    };
    How how = How::gone;
    directory::Outcome outcome = directory::Outcome::unchanged;
    std::string reason;
    // The refusal was a broken foreign key: a row that something else needs cannot be deleted.
    bool row_is_needed = false;
};

class EmailSettlement {
public:
    // Applies the change in the given transaction, without committing; nothing when it is gone.
    using Apply =
        std::function<Task<directory::Answer<std::optional<directory::Outcome>>>(pg::Transaction&)>;

    // `clerk` may be null: nobody can be asked. All references must outlive this.
    EmailSettlement(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi* clerk);

    // `claim` is absent for a change that wants no address.
    Task<Settled> settle(std::optional<directory::EmailClaim> claim, Apply apply);

private:
    struct Knowledge;
    Task<directory::EmailAnswer> ask(const std::string& id, const directory::EmailClaim& claim);
    Task<bool> act(pg::Transaction& tx, const directory::EmailClaim& claim,
                   const directory::EmailSituation& situation, directory::EmailStep step,
                   const Knowledge& known);
    Task<std::optional<Settled>> commit(pg::Transaction& tx, const Apply& apply);
    Task<std::optional<Settled>> try_step(const directory::EmailClaim& claim, const Apply& apply,
                                          Knowledge& known);

    pg::Pool& pool_;
    directory::Directory& directory_;
    clerk::BackendApi* clerk_;
};

}  // namespace rollcall::sync
