// What a change says of access, written where the rest of it cannot be yet: another row has its
// e-mail, or the users table takes its row not. A ban, a lock or another role waits for neither.
// Only what is newer than all that is known counts, and neither version nor content of the ledger
// moves: the change itself is still to be applied, and whatever is applied next says it all anew.
// A ban that was lifted again waits for that: in between the user is refused, not let in.
#pragma once

#include "base/task.hpp"
#include "directory/apply_sql.hpp"
#include "directory/change.hpp"
#include "directory/outbox.hpp"
#include "pg/pool.hpp"

#include <string_view>

namespace rollcall::directory {

class Curbs {
public:
    Curbs(const ApplySql& texts, const Outbox& outbox)  // must outlive this
        : texts_(texts), outbox_(outbox) {}

    // Of an event's job, which stays as it is. What the table refuses here, too, is left.
    Task<> of_job(pg::Pool& pool, std::string_view id) const;
    // Of what Clerk said.
    Task<> of_read(pg::Pool& pool, const Read& read) const;

private:
    Task<> write(pg::Pool& pool, const pg::Statement& statement, const pg::Params& params) const;

    const ApplySql& texts_;
    const Outbox& outbox_;
};

}  // namespace rollcall::directory
