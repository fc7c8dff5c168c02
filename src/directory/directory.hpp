// The mirrored rows: the one way to the users table. Holds the statements, which are made once at
// start from the configured names and the table as it is, every identifier quoted. Each apply is
// one transaction over the ledger, the users table and, for events, the jobs that carry them:
// docs/directory.md tells the rules. A database that is away throws Unavailable; what the server
// refuses (a value, a constraint of the application's) is returned, and nothing was done then.
#pragma once

#include "base/claim_cursor.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "directory/change.hpp"
#include "directory/column_map.hpp"
#include "directory/comparison.hpp"
#include "directory/copy_comparison.hpp"
#include "directory/curbs.hpp"
#include "directory/email_rows.hpp"
#include "directory/outbox.hpp"
#include "directory/standings.hpp"
#include "pg/pool.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::directory {

struct DirectoryConfig {
    ColumnMap columns;
    int batch = 256;      // jobs of one transaction at most: sync::ApplyConfig::batch
    bool can_ask = true;  // whether Clerk can be asked (a secret key is set): who settles a tie
    bool mirror = false;  // changes are mirrored (outbox.hpp), by every process from now on
    // Deletions are applied by apply_job alone: in a batch their outcome is `conflict`.
    bool deletions_alone = false;
};

struct AppliedJob {
    Outcome outcome = Outcome::unusable;
    std::string_view kind;
    std::string_view clerk_id;  // "" when unusable
    std::int64_t version = 0;   // the event's time in milliseconds
    int attempts = 0;           // this one included
    double ready_at = 0;        // seconds since 1970, as `now`
    std::string_view id;        // where the outcome is conflict, else maybe ""
};

// What became of the jobs of one batch. Views live as long as it does.
class AppliedBatch {
public:
    AppliedBatch() = default;
    AppliedBatch(pg::Rows jobs, double now) : jobs_(std::move(jobs)), now_(now) {}

    [[nodiscard]] int size() const { return jobs_.size(); }
    [[nodiscard]] AppliedJob operator[](int index) const;
    [[nodiscard]] double now() const { return now_; }  // of the transaction, by the database
    // The last job claimed, for going on after it; of apply_due.
    [[nodiscard]] std::optional<ClaimPosition> last(int priority) const;

private:
    pg::Rows jobs_;
    double now_ = 0;
};

// What becomes of a deleted user's row.
enum class RowDeletion : std::uint8_t {
    whole,  // as configured
    mark,   // the time of soft deletion is all that is written
    none,   // the users table is left alone, only the ledger learns
};

struct AppliedRead {
    Outcome outcome = Outcome::unchanged;
    bool created = false;   // there was no row
    bool restored = false;  // the tombstone is lifted
};

struct Added {
    std::int64_t rows = 0;
    SystemTime now;  // the database's, from before
};

class Directory {
public:
    // Looks at the table and makes the statements. `not_found` when `rollcall migrate` has still to
    // make something, `bad_configuration` when the table is not as the settings say: the message
    // says what to do.
    static Task<Result<std::unique_ptr<Directory>>> open(pg::Pool& pool, DirectoryConfig config);
    ~Directory();
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    // Claims, applies and completes up to a batch of due jobs, in one commit. A job whose outcome
    // is `conflict` stays PENDING, put off by ten seconds: it wants resolving (EmailRows) and
    // apply_job. The position goes by created_at.
    Task<Answer<AppliedBatch>> apply_due(pg::Pool& pool, const ClaimPosition& after);
    Task<Answer<AppliedBatch>> apply_scheduled(pg::Pool& pool);  // jobs that waited for their time
    // The priorities of due jobs, highest first.
    Task<std::vector<int>> priorities(pg::Pool& pool);
    // The jobs that these would claim, when a batch was refused and they are tried one by one.
    Task<std::vector<std::string>> due_ids(pg::Pool& pool, const ClaimPosition& after);
    Task<std::vector<std::string>> scheduled_ids(pg::Pool& pool);

    // Applies nothing: what the server says no to here (a table, a column, a privilege that is
    // missing) it would say to every change.
    Task<Answer<void>> probe(pg::Pool& pool);

    // Begins what the next three need.
    Task<pg::Transaction> begin(pg::Pool& pool);
    // One job; empty when it is not PENDING or held by another worker. `deletion`: less than whole
    // for a row that a constraint keeps as it is.
    Task<Answer<AppliedBatch>> apply_job(pg::Transaction& tx, std::string_view id,
                                         RowDeletion deletion = RowDeletion::whole);
    // What Clerk said: one answer for each in order. A user may be there once only.
    Task<Answer<std::vector<AppliedRead>>> apply(pg::Transaction& tx, std::span<const Read> reads);

    // Users who are newcomers by the comparison's account, each once, in one commit; how many rows
    // that made. Refused as a whole when one of them is known by now, or the table does not take
    // one: `apply` tells them apart.
    Task<Answer<Added>> add(pg::Pool& pool, std::span<const Read> newcomers);

    [[nodiscard]] const Comparison& comparison() const;  // what differs; writes nothing
    [[nodiscard]] EmailRows& emails();
    [[nodiscard]] const Outbox& outbox() const;
    [[nodiscard]] const CopyComparison& copies() const;  // what differs in the mirror
    [[nodiscard]] const Standings& standings() const;    // for who decides about access
    [[nodiscard]] const Curbs& curbs() const;            // of access, of what cannot be applied yet
    [[nodiscard]] const ColumnMap& columns() const;
    [[nodiscard]] const std::vector<std::string>& notes() const;  // what may go wrong, for a person

    // The statements, by name, for `config print` and for the test that prepares each.
    struct Text {
        std::string name;
        std::string text;
    };
    [[nodiscard]] std::vector<Text> statements() const;
    // The same for the table that `migrate` creates, without a database.
    [[nodiscard]] static std::vector<Text> statements_of(const DirectoryConfig& config);

private:
    struct State;
    explicit Directory(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// The database's time: ask before asking Clerk.
Task<SystemTime> database_now(pg::Pool& pool);

}  // namespace rollcall::directory
