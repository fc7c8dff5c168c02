// A command that does one thing with the database and ends.
#pragma once

#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "cli/config.hpp"
#include "pg/pool.hpp"

#include <functional>

namespace rollcall::cli {

// Runs `work` on an event loop of its own with a small pool, and returns its exit code.
// `unavailable` when a neighbour is away, `internal` for SQL that the database refuses.
[[nodiscard]] Result<int> try_once(const Config& config,
                                   const std::function<Task<int>(pg::Pool&)>& work);

// The same for commands that end on such an error: told on standard error, 69 or 1.
int run_once(const Config& config, const std::function<Task<int>(pg::Pool&)>& work);

// not_found without all of rollcall's schema: else every statement would say in its own way which
// of the tables it misses.
Task<Result<void>> has_schema(pg::Pool& pool);

}  // namespace rollcall::cli
