// The table beside what Clerk says, without writing anything: which users differ, and which living
// ones Clerk did not name. What is as it should be returns nothing. Repair is Directory::apply's.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "directory/apply_sql.hpp"
#include "directory/change.hpp"
#include "pg/pool.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::directory {

// A user of a page who is not known exactly so. Without fields, and with a row, only the ledger
// has something to learn.
struct Deviation {
    struct Field {
        std::string_view name;             // email, name, role, deleted_at, banned, locked
        std::optional<std::string> value;  // what the table (or the ledger) has
    };
    std::size_t position = 0;  // in what was given
    bool present = false;      // there is a row, if only a soft-deleted one
    bool newcomer = false;     // nothing is known, the e-mail is nobody's: Directory::add
    std::vector<Field> fields;
};

// A span of Clerk's created_at: who is alive in it and was not named is absent.
struct CreationSpan {
    std::optional<std::int64_t> from_us;   // microseconds since 1970; absent: from the beginning
    std::string after_id;                  // … and of those created exactly then, after this id
    std::optional<std::int64_t> until_us;  // not included; absent: without end
};

struct Absences {
    std::vector<std::string> clerk_ids;
    std::optional<CreationSpan> rest;  // there may be more, in this span
};

struct Compared {
    std::vector<Deviation> deviations;
    Absences absences;
    SystemTime now;  // the database's, from before the comparison
};

// Part of a scan that goes on after `last_id`; nothing was left when that is empty.
struct Strangers {
    std::vector<std::string> clerk_ids;
    std::string last_id;
};

// The database's time at the beginning of a transaction, out of what the statement `settings` says.
[[nodiscard]] SystemTime time_of(const pg::Rows& settings);

class Comparison {
public:
    // The texts must outlive this.
    explicit Comparison(const ApplySql& texts) : texts_(texts) {}
    Comparison(const Comparison&) = delete;
    Comparison& operator=(const Comparison&) = delete;

    // `reads` are snapshots, each user once. With `span`, also who is absent from it: neither among
    // `reads` nor among `also`. One round trip, one statement each.
    Task<Compared> compare(pg::Pool& pool, std::span<const Read> reads,
                           const std::optional<CreationSpan>& span,
                           std::span<const std::string> also) const;
    // Goes on with the rest of a span. `named`: all users that were named of it.
    Task<Absences> absent(pg::Pool& pool, const CreationSpan& span,
                          std::span<const std::string> named) const;

    // Users that no span covers, in portions: the living without a time of creation …
    Task<std::vector<std::string>> unplaced(pg::Pool& pool, std::string_view after_id) const;
    // … and living rows of users that the ledger does not know as living. `after_row`: "" at first.
    Task<Strangers> strangers(pg::Pool& pool, std::string_view after_row) const;

    // Whether there are as many living rows as living users in the ledger: where each of these has
    // its row, there are no strangers then. A tenth of the cost of looking for them.
    Task<bool> balanced(pg::Pool& pool) const;

    // Whether neither the ledger nor the table has anybody.
    Task<bool> blank(pg::Pool& pool) const;

    // How many users are alive, as far as the ledger knows.
    Task<std::int64_t> active(pg::Pool& pool) const;

private:
    const ApplySql& texts_;
};

}  // namespace rollcall::directory
