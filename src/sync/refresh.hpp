// Reads one user from Clerk again and applies what Clerk says: the handler of REFRESH_USER jobs,
// which settle ties and e-mail conflicts. A 404 is asked twice before it counts as a deletion.
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "directory/directory.hpp"
#include "jobs/worker.hpp"
#include "pg/pool.hpp"
#include "sync/apply_user.hpp"
#include "sync/email_conflicts.hpp"

#include <optional>
#include <utility>

namespace rollcall::sync {

class Refresh {
public:
    // All references must outlive this.
    Refresh(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi& clerk);

    // For Worker::handle(jobs::refresh_user, …). Clerk out of reach is a retry that burns no
    // attempt.
    Task<jobs::Outcome> handle(const jobs::Job& job);

    void observe(ChangeObserver observer) { observer_ = std::move(observer); }

private:
    using Ending = std::optional<jobs::Outcome>;  // absent: another round

    Task<Ending> round(const directory::Read& read, EmailConflicts& conflicts,
                       EmailConflicts::Known& known);
    Task<Ending> apply(pg::Transaction tx, const directory::Read& read);
    [[nodiscard]] Ending refused(const pg::SqlError& error) const;

    pg::Pool& pool_;
    directory::Directory& directory_;
    clerk::BackendApi& clerk_;
    ChangeObserver observer_;
};

}  // namespace rollcall::sync
