// One run of `rollcall dev` on a database that is there: migrates, starts the service and the
// simulator against each other, and tells on the terminal what happens until it is stopped.
#pragma once

#include "cli/account.hpp"
#include "cli/config.hpp"
#include "cli/settings.hpp"
#include "sim/clerk_simulator.hpp"

#include <functional>

namespace rollcall::cli {

// Returns the exit code. With `once` it ends by itself when the first synced user is visible. Where
// the service cannot be drained in time, or a second signal comes, it says so, calls `leave` and
// ends the process itself, as `rollcall serve` does.
int run_dev_session(Settings settings, Config config, sim::ClerkSimulatorConfig sim,
                    const Account& account, bool once, const std::function<void()>& leave);

}  // namespace rollcall::cli
