// Works off USER_CREATED, USER_UPDATED and USER_DELETED: a batch is claimed, applied to the users
// table and completed in one transaction, so a crash leaves nothing half done and a job's effect
// comes exactly once. What a batch cannot settle (an e-mail that another row holds, a value that
// the table refuses) is handled job by job, so that one bad job holds up nobody; what has to ask
// Clerk first goes on beside the lanes (asking_jobs.hpp).
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "directory/change.hpp"
#include "directory/directory.hpp"
#include "jobs/metrics.hpp"
#include "jobs/retry_policy.hpp"
#include "pg/pool.hpp"
#include "sync/deletion_guard.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::sync {

// Section [jobs] of rollcall.toml.
struct ApplyConfig {
    int batch = 256;  // jobs of one transaction at most; give the directory the same
    int lanes = 2;    // transactions under way at once, as many as the work loop has lanes
    // Deletions beyond it are held back; with DirectoryConfig::deletions_alone.
    std::optional<DeletionGuard> hold = std::nullopt;
};

// Told of every job of which something came, for `rollcall dev`.
using ChangeObserver = std::function<void(std::string_view kind, std::string_view clerk_id,
                                          directory::Outcome outcome)>;

class ApplyUser {
public:
    // `clerk` may be null: nobody can be asked then. All references must outlive this. Use one per
    // event loop, for all its lanes.
    ApplyUser(Executor executor, pg::Pool& pool, directory::Directory& directory,
              clerk::BackendApi* clerk, jobs::RetryPolicy retry, ApplyConfig config,
              jobs::Metrics& metrics);
    // asked() must have returned true, or the event loop must not run any more.
    ~ApplyUser();
    ApplyUser(const ApplyUser&) = delete;
    ApplyUser& operator=(const ApplyUser&) = delete;

    // A pass for jobs::WorkLoop (full_pass: the batch): works off a batch of what is due and
    // returns how many jobs that was; less than a batch when nothing more is due. Any number may
    // run at once.
    Task<int> run_once();

    // Whether jobs are asking Clerk. asked() waits for all of them; false when `limit` passed
    // first.
    [[nodiscard]] bool asking() const;
    Task<bool> asked(Duration limit);
    // Begins no more jobs alone, nor questions to Clerk: they are due again, here or elsewhere. The
    // work loop is to be stopped too.
    void stop();

    // Why the users table takes no change at all, since the last pass that met this; "" when it
    // does.
    [[nodiscard]] const std::string& standstill() const;

    void observe(ChangeObserver observer);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace rollcall::sync
