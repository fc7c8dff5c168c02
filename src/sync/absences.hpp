// What follows when Clerk does not know a user. Not a deletion at once: it has to say so again some
// seconds later, and only as many users as the guard allows go within an hour. Kept in
// rollcall.absences, so that it holds over restarts and for all instances.
#pragma once

#include "base/task.hpp"
#include "jobs/outcome.hpp"
#include "pg/pool.hpp"
#include "sync/deletion_guard.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace rollcall::sync {

class Absences {
public:
    explicit Absences(pg::Pool& pool, DeletionGuard guard = {}) : pool_(pool), guard_(guard) {}

    // Clerk knows the user: what was said before counts no more.
    Task<> found(const std::string& clerk_id);
    // Clerk does not. Returned is what to do instead of concluding the deletion; nothing when it
    // may be concluded, or was before.
    Task<std::optional<jobs::Retry>> missing(const std::string& clerk_id);
    // In the transaction that has deleted the user, as its last step. False: the guard holds the
    // deletion back; the transaction must be left, and hold() called.
    Task<bool> conclude(pg::Transaction& tx, const std::string& clerk_id);
    // Notes that, for those who look at what waits. Returned is what to do instead.
    Task<jobs::Retry> hold(const std::string& clerk_id);

private:
    Task<bool> allowed(pg::Transaction& tx);

    pg::Pool& pool_;
    DeletionGuard guard_;
};

}  // namespace rollcall::sync
