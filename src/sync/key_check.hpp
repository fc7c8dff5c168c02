// Whether the secret key is of the Clerk instance that this database is filled from: what another
// instance says, that it does not know a user above all, counts for nothing.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "pg/pool.hpp"
#include "sync/pass.hpp"
#include "sync/run_ledger.hpp"

namespace rollcall::sync {

// False: it is not, or Clerk did not say; `pass` has failed over it. Asked once for a run: whoever
// refreshes users in it is told. A database that is filled from none yet keeps this instance, but
// not by a dry run.
Task<bool> right_key(RunLedger& runs, Pass& pass);

// What stands against a start with this key: bad_configuration when it is of another instance. A
// database that is filled from none yet, and a Clerk that does not say within `limit`, stand
// against nothing; a run asks again.
Task<Result<void>> may_start(pg::Pool& pool, clerk::BackendApi& clerk, Duration limit);

}  // namespace rollcall::sync
