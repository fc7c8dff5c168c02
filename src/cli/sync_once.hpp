// What `sync` and `audit` share: the parts of polling for one command, and one run that a person
// watches and may interrupt.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "cli/commands.hpp"
#include "cli/run_progress.hpp"
#include "cli/sync_parts.hpp"

#include <functional>
#include <string>

namespace rollcall::cli {

// Runs `work` on an event loop of its own with the parts that the settings ask for, and returns its
// exit code; with a neighbour away, a wrong setting or no schema the code for that.
int with_sync(const Globals& globals, const std::function<Task<int>(SyncParts&)>& work);

// One run, shown as it goes. The first Ctrl-C lets it end where it can be gone on from, the second
// ends the process at once, which the next run survives as well.
Task<Result<sync::RunSummary>> watched_run(SyncParts& parts, sync::RunRequest request,
                                           RunProgress::Differs differs = {});

// One user beside Clerk; writes nothing.
Task<Result<sync::RunSummary>> compare_one(SyncParts& parts, std::string clerk_id,
                                           RunProgress::Differs differs);

}  // namespace rollcall::cli
