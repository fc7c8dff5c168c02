// One user on demand, for the command line, the admin interface and the gate: asks Clerk, applies
// what it says, and keeps a row in sync_runs. Calls for one user at the same time share one
// question. A user that Clerk does not know is looked up again after a pause, and only then
// deleted. One event loop.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "sync/run.hpp"
#include "sync/run_ledger.hpp"
#include "sync/user_lookup.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace rollcall::sync {

inline constexpr std::size_t clerk_id_max = 255;

struct UserRefreshConfig {
    std::size_t users_max = 64;  // being refreshed at the same time; further calls: rate_limited
};

class UserRefresh {
public:
    // What these refer to must outlive this.
    UserRefresh(RunLedger& runs, MakeLookup make_lookup, UserRefreshConfig config = {});
    ~UserRefresh();
    UserRefresh(const UserRefresh&) = delete;
    UserRefresh& operator=(const UserRefresh&) = delete;

    // The summary says what became of it: completed, with a deletion held back as of a pass, or
    // failed with the reason (Clerk out of reach, a row that another user's stands in the way of).
    // invalid_input for what is no id of Clerk's,
    // rate_limited when too many are under way. A database that is away throws Unavailable. `by` is
    // whom the audit log names; who shares another's question is not.
    Task<Result<RunSummary>> run(std::string clerk_id, RunTrigger trigger,
                                 std::optional<Actor> by = {});

    void observe(RunObserver observer) { observer_ = std::move(observer); }

private:
    struct Flight;
    Task<RunSummary> look(std::string clerk_id, RunTrigger trigger, std::optional<Actor> by);
    Task<Result<RunSummary>> share(std::shared_ptr<Flight> flight);

    RunLedger& runs_;
    MakeLookup make_lookup_;
    UserRefreshConfig config_;
    RunObserver observer_;
    std::map<std::string, std::shared_ptr<Flight>, std::less<>> flights_;
};

}  // namespace rollcall::sync
