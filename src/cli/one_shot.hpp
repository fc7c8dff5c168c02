// A command that does one thing with the database and ends.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "cli/config.hpp"
#include "pg/pool.hpp"

#include <functional>

namespace rollcall::cli {

// Runs `work` on an event loop of its own with a small pool, and returns its exit code. A database
// that is away is told on standard error and ends in 69; SQL that it refuses ends in 1.
int run_once(const Config& config, const std::function<Task<int>(pg::Pool&)>& work);

}  // namespace rollcall::cli
