// Who watches a run: a progress bar, a dry run's report, a test. Called from the run's own
// coroutine; what it does must not wait.
#pragma once

#include "sync/difference.hpp"
#include "sync/run.hpp"

#include <cstdint>
#include <optional>

namespace rollcall::sync {

class Progress {
public:
    virtual ~Progress() = default;
    // After each page, and at the start and the end. `expected`: how many users Clerk counted, of a
    // complete pass. `so_far.seen` starts above 0 when a run goes on from another.
    virtual void advanced(const RunSummary& so_far, std::optional<std::int64_t> expected) = 0;
    // Each difference as it is found, before it is repaired.
    virtual void differs(const Difference& difference) = 0;
};

}  // namespace rollcall::sync
