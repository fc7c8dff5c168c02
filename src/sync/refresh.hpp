// Reads one user from Clerk again and applies what Clerk says: the handler of REFRESH_USER jobs,
// which settle ties and e-mail conflicts. A user that Clerk does not know is deleted, but not at
// once: see absences.hpp.
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "directory/directory.hpp"
#include "jobs/worker.hpp"
#include "pg/pool.hpp"
#include "sync/absences.hpp"
#include "sync/apply_user.hpp"
#include "sync/ask_clerk.hpp"
#include "sync/email_conflicts.hpp"
#include "sync/run.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace rollcall::sync {

struct Refreshed {
    jobs::Outcome ending = jobs::Completed{};
    directory::AppliedRead applied{};               // where it completed
    bool held = false;                              // the guard held the deletion back
    RunFailure failure = RunFailure::refused_rows;  // of another ending: what a run says of it
};

class Refresh {
public:
    // All references must outlive this. `guard`: how many users at most go within an hour because
    // Clerk does not know them.
    Refresh(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi& clerk,
            DeletionGuard guard = {});

    // For Worker::handle(jobs::refresh_user, …). Clerk out of reach is a retry that burns no
    // attempt, and so is a deletion that is held back.
    Task<jobs::Outcome> handle(const jobs::Job& job);

    // The same for one user, without a job.
    Task<Refreshed> refresh(std::string clerk_id);
    // Applies an answer that is there already (of a user who exists), e-mail conflicts and all.
    Task<Refreshed> settle(std::string clerk_id, ClerkAnswer answer);

    // The key is known to be of the right instance: that need not be asked.
    void trust_key() { clerk_.trust_key(); }
    // Whether that is known by now, so that whoever asks next need not find it out.
    [[nodiscard]] bool trusts_key() const { return clerk_.trusts_key(); }

    // `held` is told of each deletion that the guard holds back, each time. Neither must wait.
    void observe(ChangeObserver changed, std::function<void()> held = {}) {
        observer_ = std::move(changed);
        held_observer_ = std::move(held);
    }

private:
    using Ending = std::optional<Refreshed>;  // absent: another round

    Task<Ending> round(const directory::Read& read, EmailConflicts::Known& known);
    Task<Ending> apply(pg::Transaction tx, const directory::Read& read);
    Task<Refreshed> hold(const std::string& clerk_id);
    [[nodiscard]] Ending refused(const pg::SqlError& error) const;

    pg::Pool& pool_;
    directory::Directory& directory_;
    ClerkReader clerk_;
    Absences absences_;
    EmailConflicts conflicts_;
    ChangeObserver observer_;
    std::function<void()> held_observer_;
};

}  // namespace rollcall::sync
