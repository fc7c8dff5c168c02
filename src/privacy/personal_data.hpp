// What is kept of one person, for requests under privacy laws: all of it as one JSON document, and
// its removal. docs/privacy.md says where personal data is and for how long.
#pragma once

#include "base/actor.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "directory/column_map.hpp"
#include "directory/outbox.hpp"
#include "pg/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::privacy {

// What becomes of the user's row: it keeps its id and what is the application's, or it goes.
enum class RowErasure : std::uint8_t { blank, remove };

struct Erased {
    std::int64_t rows = 0;       // of the users table: 0 or 1
    std::int64_t jobs = 0;       // whose personal data was removed
    std::int64_t cancelled = 0;  // of these, those that waited
    std::int64_t events = 0;     // kept for review, whose bytes named the user
};

class PersonalData {
public:
    // Both must outlive this.
    PersonalData(pg::Pool& pool, const directory::ColumnMap& columns);

    // The Clerk id of whom `id`, a Clerk id or an internal one, names; nothing when nothing is
    // kept of them.
    Task<std::optional<std::string>> find(std::string_view id);

    // A JSON object: row (the mirrored columns), ledger, jobs and events_for_review (the newest
    // 10,000 each, with payload and event), absences, held_deletes, mirror, audit_log. Tells the
    // audit log first.
    Task<std::string> export_of(std::string_view clerk_id, const Actor& by);

    // In one transaction: the row, the jobs, the events kept for review; the ledger keeps a
    // tombstone, which no event is newer than, whenever it comes, and `outbox` has the copy in
    // Supabase Auth removed. Whoever asks makes sure that Clerk does not know the user any more.
    // conflict, and nothing is done: the table refuses (a foreign key, a column that must not be
    // NULL).
    Task<Result<Erased>> erase(std::string_view clerk_id, RowErasure row,
                               const directory::Outbox& outbox, const Actor& by);

private:
    pg::Pool& pool_;
    // Made of the configured names.
    std::string find_;
    std::string row_;
    std::string row_id_;
    std::string blank_row_;
    std::string remove_row_;
};

}  // namespace rollcall::privacy
