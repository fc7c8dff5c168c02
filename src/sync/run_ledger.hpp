// The attempts on record: `rollcall.sync_runs`, and what is known from run to run. Reading is for
// everybody (history, /statusz, alerts, schedule); writing is the reconciler's. A database that is
// away throws Unavailable.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"
#include "sync/range_plan.hpp"
#include "sync/run.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sync {

// A row of sync_runs.
struct RunRecord {
    RunSummary summary;
    RunTrigger trigger = RunTrigger::cli;
    std::string clerk_id;  // of mode user
    std::string instance;
    SystemTime started_at;
    std::optional<SystemTime> finished_at;
    std::optional<std::int64_t> continues;
};
// The names of to_json(RunSummary), and run, trigger, started_at, finished_at, instance, continues.
[[nodiscard]] std::string to_json(const RunRecord& record);

// What the schedule decides on. Times are the database's.
struct SyncState {
    SystemTime now;
    std::optional<std::int64_t> watermark_ms;
    std::optional<SystemTime> full_completed_at;
    std::string instance_id;  // "" before the first contact
    std::string environment_type;
    std::optional<SystemTime> last_started_at;  // of incremental and complete runs
    std::optional<SystemTime> last_completed_at;
    int failures_in_a_row = 0;           // runs since that did not complete
    std::optional<RunMode> interrupted;  // the last one was by a stop; which it was
    bool outpaced = false;  // the last one was incremental, and its list was too long or too fast
    std::int64_t held_deletes = 0;  // waiting for a person
    std::int64_t held_run = 0;      // whose they are; 0: none wait
    std::int64_t held_by_id = 0;    // of single users, held back within a day
};

// Where a complete pass begins, or that was cut short and may be gone on from.
struct CutShort {
    std::int64_t run = 0;  // 0: none
    // What Clerk said then: the newest user's created_at, how many users there are up to it, and
    // the newest updated_at.
    std::int64_t newest_created_ms = 0;
    std::int64_t expected = 0;
    std::int64_t newest_updated_ms = 0;
    std::vector<Range> ranges;
};

class RunLedger {
public:
    // `instance` names this process in its rows. The pool must outlive this.
    RunLedger(pg::Pool& pool, std::string instance);

    // The newest first.
    Task<std::vector<RunRecord>> history(int limit);
    Task<std::optional<RunRecord>> find(std::int64_t run);
    // The complete pass that completed last: what drift there was.
    Task<std::optional<RunRecord>> last_full();
    Task<SyncState> state();

    // Begins a run; its id. Of one that a person asked for an entry of the audit log tells.
    Task<std::int64_t> begin(RunMode mode, RunTrigger trigger, std::string_view clerk_id = "",
                             const std::optional<Actor>& by = {});
    // Ends as failed what is still `running`: for whoever holds the lease, when nobody else is.
    Task<> bury_killed();
    // The heartbeat: how far the run is, so that it can be gone on from; with a status other than
    // running its end, which the next complete pass goes on from.
    Task<> save(const RunSummary& so_far, const std::vector<Range>& ranges = {});
    // The end of a run that did not complete and leaves nothing to go on from.
    Task<> finish(const RunSummary& summary);
    // The end of one that did. The watermark never goes back. False, and nothing changes, when the
    // run was buried meanwhile.
    Task<bool> completed(const RunSummary& summary, std::int64_t watermark_ms);

    // The fingerprint: stores `id` where none is kept yet; the one that is kept.
    Task<std::string> claim_instance(std::string_view id, std::string_view environment_type);
    // Some users of whom a key of the right instance knows at least one; at most 100.
    Task<std::vector<std::string>> witnesses();

    // The complete pass that was cut short last, if it is not too old to go on from.
    Task<std::optional<CutShort>> cut_short();
    // `run` begins with this, and has the ranges and absences of the run that it goes on from. From
    // then on an event of before, of a user whom nobody knew, is doubted.
    Task<> begin_full(std::int64_t run, const CutShort& beginning);

private:
    pg::Pool& pool_;
    std::string instance_;
};

}  // namespace rollcall::sync
