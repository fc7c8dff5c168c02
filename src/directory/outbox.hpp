// What the mirror of the users table (its copy in Supabase Auth) follows, and how it is told: the
// row of a user as it is, and a MIRROR_USER job for each user of whom something was learned,
// written in the transaction that learns it. Of one user at most one job waits or runs.
//
// Table rollcall.mirror_users, what is known of the copies, is written by the mirror. Each such
// write names the job's id, fence and version, and does nothing where the job has moved on: what is
// forgotten here while a job runs must not be remembered by its end.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "directory/apply_sql.hpp"
#include "pg/pool.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rollcall::directory {

// Whether there is such a user. Deleted: as Clerk said, or as the row says. Unknown: there is
// neither a row nor a word of a deletion, so that somebody took the row away, or it is yet to come.
enum class Existence : std::uint8_t { unknown, living, deleted };

// A user's row, and what is known of its copy. Personal data: never to be logged.
struct MirroredRow {
    Existence existence = Existence::unknown;
    std::string email;  // "" for NULL and for a column that is not mirrored, as the next two
    std::string name;
    std::string role;
    bool banned = false;                       // banned or locked at Clerk
    std::int64_t content_hash = 0;             // of the four above
    std::string auth_id;                       // of the copy; "" when none is known
    bool adopting = false;                     // it was there before; nothing is known written yet
    std::optional<std::int64_t> written_hash;  // what was last written there
    std::string skipped;                       // why there is no copy; "" when there is no reason
};

class Outbox {
public:
    explicit Outbox(const ApplySql& texts) : texts_(texts) {}  // must outlive the outbox

    Task<MirroredRow> row(pg::Pool& pool, std::string_view clerk_id) const;

    // For who changes a row beside the statements that apply changes.
    Task<> arm(pg::Transaction& tx, std::string_view clerk_id) const;
    // Copies that are not as they should be: they are written again, whatever is known of them.
    // Returns how many users were not waiting for that already.
    Task<int> arm(pg::Pool& pool, std::span<const std::string> clerk_ids) const;
    // For jobs::WorkerConfig::on_lost: what its handler wrote may have come after what was written
    // by who has the job now, or had it.
    Task<> arm_lost(pg::Pool& pool, const std::string& clerk_id) const;

    // From the next transaction on every process writes the outbox, whatever its settings, for a
    // day: without that nothing arms. To be repeated while the mirror is configured;
    // Directory::open does it first.
    static Task<> want(pg::Pool& pool);
    // Whether that day is not over. `not_found` before `rollcall migrate`.
    static Task<Result<bool>> wanted(pg::Pool& pool);

private:
    const ApplySql& texts_;
};

}  // namespace rollcall::directory
