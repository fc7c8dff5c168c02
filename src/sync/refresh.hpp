// Reads one user from Clerk again and applies what Clerk says: the handler of REFRESH_USER jobs,
// which settle ties and e-mail conflicts. A 404 is asked twice before it counts as a deletion.
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "directory/directory.hpp"
#include "jobs/worker.hpp"
#include "pg/pool.hpp"
#include "sync/apply_user.hpp"

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
    pg::Pool& pool_;
    directory::Directory& directory_;
    clerk::BackendApi& clerk_;
    ChangeObserver observer_;
};

}  // namespace rollcall::sync
