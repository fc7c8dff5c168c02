// Who somebody is as the ledger, the users table and the sessions that have ended say together, for
// many at once: for whoever decides about access. Reads; never writes.
#pragma once

#include "base/task.hpp"
#include "directory/apply_sql.hpp"
#include "pg/pool.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::directory {

struct Standing {
    std::string user_id;  // internal, of the row; "" when there is none
    std::string role;     // of the row; "" when it has none, or the column is not mirrored
    bool listed = false;  // the ledger knows the user: Clerk has said something of them
    bool deleted = false;
    bool banned = false;
    bool locked = false;
    std::optional<double> revoked_for;  // seconds since the session ended; nothing: it has not
};

struct StandingAsked {
    std::string_view clerk_id;
    std::string_view session_id;  // "" for none
};

struct StandingsRead {
    std::vector<Standing> standings;         // one for each in order
    std::optional<double> sync_age_seconds;  // rollcall.sync_age(), where it was asked for
};

class Standings {
public:
    explicit Standings(const ApplySql& texts) : texts_(texts) {}  // must outlive this

    // One statement, as of a moment after the call. Throws what the pool throws.
    Task<StandingsRead> read(pg::Pool& pool, std::span<const StandingAsked> asked,
                             bool with_sync_age) const;

private:
    const ApplySql& texts_;
};

}  // namespace rollcall::directory
