// Makes the table follow Clerk by asking: the one door for the schedule, the cron route, the
// command line and the admin interface. One run at a time, in this process and among all instances
// (lease "sync"). Whatever goes wrong with Clerk is in the summary and in `rollcall.sync_runs`; a
// database that is away throws Unavailable, and the next run finds what was left. docs/sync.md has
// the rules.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "directory/directory.hpp"
#include "pg/pool.hpp"
#include "sync/deletion_guard.hpp"
#include "sync/held_deletes.hpp"
#include "sync/progress.hpp"
#include "sync/refresh.hpp"
#include "sync/run.hpp"
#include "sync/run_ledger.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace rollcall::sync {

struct ReconcilerConfig {
    std::string instance = "rollcall";  // unique among processes
    int workers = 8;                    // pages of a complete pass asked for at the same time
    std::size_t page_users = 500;
    DeletionGuard guard;
    // An incremental pass looks this much further back than the watermark.
    std::chrono::milliseconds overlap{std::chrono::minutes(5)};
    std::chrono::milliseconds lease{std::chrono::seconds(15)};
    std::chrono::milliseconds save_every{std::chrono::seconds(2)};
};

class Reconciler {
public:
    // All references must outlive this. The pool should have a connection for each worker.
    Reconciler(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi& clerk,
               Refresh& refresh, ReconcilerConfig config);
    ~Reconciler();
    Reconciler(const Reconciler&) = delete;
    Reconciler& operator=(const Reconciler&) = delete;

    // conflict: another run is under way, here or elsewhere; no attempt was made. Everything else
    // is a summary: held_deletes above 0 needs a person though the status is completed.
    // `progress` may be null and must outlive the call.
    Task<Result<RunSummary>> run(RunRequest request, Progress* progress = nullptr);

    // Deletes the users that run `run` held back, or of these one, each looked up by id once more.
    // not_found when none of that run wait, conflict as above.
    Task<Result<HeldDecision>> approve_deletes(std::int64_t run, Actor by = {},
                                               std::optional<std::string> clerk_id = {});
    // Drops them; the next complete pass judges anew. How many.
    Task<Result<std::int64_t>> discard_deletes(std::int64_t run, Actor by = {},
                                               std::optional<std::string> clerk_id = {});

    // The run under way ends at once, as interrupted: what has come from Clerk is worked off, and
    // nothing more is waited for. The next complete pass goes on from there.
    void interrupt();
    [[nodiscard]] bool running() const;  // in this process

    [[nodiscard]] RunLedger& runs();

    void observe(RunObserver observer);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace rollcall::sync
