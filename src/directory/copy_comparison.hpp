// The rows beside what a comparison saw of their copies in Supabase Auth, which the mirror puts
// into rollcall.mirror_seen. In portions, since there may be many; by statements that write
// nothing. No personal data comes out.
#pragma once

#include "base/task.hpp"
#include "directory/apply_sql.hpp"
#include "pg/pool.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::directory {

// What becomes of a finding without anybody's doing.
enum class CopyJob : std::uint8_t {
    none,       // nothing
    waiting,    // a job waits for the user, or runs
    written,    // one has written since the comparison began: what was seen may be from before it
    cancelled,  // a person does not want it
};

// A living row whose copy is not as the row is.
struct RowFinding {
    std::string clerk_id;
    std::string seen_id;                   // the Auth user who bears the Clerk id; "": none
    std::string known_id;                  // who is noted as the copy; "": nobody
    bool missing = false;                  // no copy, though there could be one
    std::vector<std::string_view> fields;  // that differ: email, name, role, banned, confirmed
    CopyJob job = CopyJob::none;
    // The copy is as it should be; only the note is missing.
    [[nodiscard]] bool only_unnoted() const { return !missing && fields.empty(); }
};

// An Auth user with a Clerk id who is not the copy of a living row.
struct CopyFinding {
    enum class Kind : std::uint8_t {
        deleted,  // of a deleted user
        no_row,   // of a user whose row is missing, without a word of a deletion
        twice,    // of a user who has another copy
        foreign,  // of a user who is not known here: another rollcall's
    };
    Kind kind = Kind::foreign;
    std::string auth_id;
    std::string clerk_id;
    CopyJob job = CopyJob::none;
};

template <class Finding>
struct Portion {
    std::vector<Finding> findings;
    std::string last;            // where the next one begins; "": there was nothing
    std::int64_t unclaimed = 0;  // of copies: Auth users who bear no Clerk id
};

class CopyComparison {
public:
    // The texts must outlive this.
    explicit CopyComparison(const ApplySql& texts) : texts_(texts) {}
    CopyComparison(const CopyComparison&) = delete;
    CopyComparison& operator=(const CopyComparison&) = delete;

    // At most `limit` after that one; "" at first.
    Task<Portion<RowFinding>> rows(pg::Pool& pool, std::int64_t run, std::string_view after,
                                   int limit) const;
    Task<Portion<CopyFinding>> copies(pg::Pool& pool, std::int64_t run, std::string_view after,
                                      int limit) const;
    // Those of some users, and some Auth users.
    Task<std::vector<RowFinding>> rows_of(pg::Pool& pool, std::int64_t run,
                                          std::span<const std::string> clerk_ids) const;
    Task<std::vector<CopyFinding>> some_copies(pg::Pool& pool, std::int64_t run,
                                               std::span<const std::string> auth_ids) const;

private:
    const ApplySql& texts_;
};

}  // namespace rollcall::directory
