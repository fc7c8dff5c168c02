// What is known of comparisons of the mirror, for all instances on the database: one row,
// rollcall.mirror_state. Writing is for who holds the lease `mirror`; `run` is its fence, and once
// that is another's nothing is written.
#pragma once

#include "base/actor.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::mirror {

// Users who are not as they should be.
struct CopyDrift {
    std::int64_t missing = 0;    // a living row has no copy
    std::int64_t different = 0;  // a copy is not as its row
    std::int64_t extra = 0;      // an Auth user is the copy of nobody living
    [[nodiscard]] std::int64_t sum() const { return missing + different + extra; }
    friend CopyDrift operator-(const CopyDrift& a, const CopyDrift& b) {
        return {a.missing - b.missing, a.different - b.different, a.extra - b.extra};
    }
};

// The last comparison that came to its end.
struct Compared {
    std::optional<SystemTime> at;         // when it began; never: nothing
    std::string by;                       // sql, pages
    CopyDrift drift;                      // whom nobody was at
    std::int64_t foreign = 0;             // Auth users who are not rollcall's
    std::int64_t held = 0;                // extra ones who are not removed without a person
    std::int64_t allowed = 0;             // so many a person let the next one remove
    std::optional<SystemTime> failed_at;  // since then one came to no end
    std::string failure;                  // why
};

class CompareRecord {
public:
    explicit CompareRecord(pg::Pool& pool) : pool_(pool) {}  // must outlive this

    // Never compared, no longer since a complete pass over Clerk's users, or longer ago than that.
    Task<bool> due(std::chrono::milliseconds interval);
    Task<Compared> last();

    // Also of one that is not on record: it tells which copies were written since.
    Task<> begun();
    // The one that was begun last; `at` is known. Whether it is on record.
    Task<bool> done(std::int64_t run, const Compared& result);
    Task<> failed(std::int64_t run, std::string_view reason);

    // The next one, which is due at once, may remove as many copies as the last held back; how many
    // that is. not_found: none.
    Task<Result<std::int64_t>> allow_removals(const Actor& by);

private:
    pg::Pool& pool_;
};

}  // namespace rollcall::mirror
