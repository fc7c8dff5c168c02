// Compares Supabase Auth with the rows, and has what differs mirrored again: by arming the users'
// jobs, so that there is one way to Auth. This is how users who were there before the mirror was
// switched on get there, and what finds a copy that somebody has changed. One comparison at a time,
// among all instances (lease "mirror"); one that is cut short begins anew. Of copies of users who
// are deleted no more than the guard allows are removed without a person; a row that is merely
// missing removes nobody. docs/mirror.md has the rules.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "directory/directory.hpp"
#include "jobs/lease.hpp"
#include "mirror/compare_record.hpp"
#include "mirror/sightings.hpp"
#include "pg/pool.hpp"
#include "supabase/auth_api.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::mirror {

struct CompareConfig {
    std::string instance = "rollcall";  // unique among processes
    // Whether so many of so many living users are too many to be removed without a person.
    std::function<bool(std::int64_t removed, std::int64_t living)> guard;
    int portion = 1'000;  // rows, or Auth users, compared by one statement
    std::chrono::milliseconds lease{std::chrono::seconds(15)};
    SightingsConfig sightings;
};

struct CompareSummary {
    bool by_sql = false;
    CopyDrift found;
    CopyDrift waiting;         // of those: a job of the user waits or runs
    std::int64_t skipped = 0;  // living rows that no Auth user can be made of
    std::int64_t foreign = 0;  // Auth users who are not rollcall's
    std::int64_t held = 0;     // extra ones, too many to be removed without a person
};

// No personal data beside the ids.
struct CopyDifference {
    enum class Kind : std::uint8_t { missing, different, extra };
    Kind kind = Kind::different;
    std::string clerk_id;
    std::string auth_id;  // "" of a missing one
    std::vector<std::string_view>
        fields;  // of a different one: email, name, role, banned, confirmed
    bool waiting = false;
};
[[nodiscard]] std::string_view to_string(CopyDifference::Kind kind);

class Compare {
public:
    struct Neighbours {
        pg::Pool& pool;
        directory::Directory& directory;
        supabase::AuthApi& auth;
    };
    using Differs = std::function<void(const CopyDifference&)>;

    // What `neighbours` refers to must outlive this.
    Compare(Neighbours neighbours, CompareConfig config);
    Compare(const Compare&) = delete;
    Compare& operator=(const Compare&) = delete;

    // conflict: another comparison is under way, here or elsewhere. unavailable: Auth or the
    // database went away, or the comparison was interrupted. bad_configuration: Auth refuses the
    // key. internal: Auth's list was not whole, or the database refused something. None of these
    // concludes anything; all but a conflict are on record. A database that is away when it would
    // begin throws Unavailable. One that takes longer than `limit` is interrupted.
    Task<Result<CompareSummary>> repair(Duration limit = Duration::max());
    // Arms nothing, and is not on record. `differs` is told of each user.
    Task<Result<CompareSummary>> look(const Differs& differs);

    // The comparison under way ends soon.
    void interrupt() { interrupted_ = true; }

    [[nodiscard]] CompareRecord& record() { return record_; }
    // Some of the living rows that no Auth user can be made of.
    Task<std::vector<std::string>> skipped(int limit);

private:
    class Attempt;
    Task<Result<CompareSummary>> run(bool repairs, Duration limit, const Differs& differs);
    Task<> attempt(bool repairs, const Differs& differs, Result<CompareSummary>& end);

    Neighbours neighbours_;
    CompareConfig config_;
    CompareRecord record_;
    jobs::Lease lease_;
    bool running_ = false;
    bool interrupted_ = false;
    SteadyTime deadline_{};
};

}  // namespace rollcall::mirror
