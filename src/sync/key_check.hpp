// Whether the secret key is of the Clerk instance that this database is filled from: what another
// instance says, that it does not know a user above all, counts for nothing.
#pragma once

#include "base/task.hpp"
#include "sync/pass.hpp"
#include "sync/run_ledger.hpp"

namespace rollcall::sync {

// False: it is not, or Clerk did not say; `pass` has failed over it. Asked once for a run: whoever
// refreshes users in it is told. A database that is filled from none yet keeps this instance, but
// not by a dry run.
Task<bool> right_key(RunLedger& runs, Pass& pass);

}  // namespace rollcall::sync
