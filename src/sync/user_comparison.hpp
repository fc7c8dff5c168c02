// One user beside Clerk, without writing anything: what UserRefresh would change.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "sync/pass.hpp"
#include "sync/progress.hpp"
#include "sync/run.hpp"
#include "sync/run_ledger.hpp"

#include <string>

namespace rollcall::sync {

// `progress` is told of the difference, if there is one; `found` of the summary says its kind. Who
// is not found is asked for once more. invalid_input for what is no id of Clerk's; whatever else is
// wrong with Clerk is in the summary. A database that is away throws Unavailable.
Task<Result<RunSummary>> compare_user(RunLedger& runs, Pass::Parts parts, std::string clerk_id,
                                      Progress& progress);

}  // namespace rollcall::sync
