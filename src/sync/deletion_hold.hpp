// Whether a deletion that came by webhook goes through, or waits for a person: within an hour as
// many go through as a complete pass may conclude by itself, over all instances. Users who are
// deleted anyway do not wait.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"
#include "sync/deletion_guard.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace rollcall::sync {

class DeletionHold {
public:
    explicit DeletionHold(DeletionGuard guard) : guard_(guard) {}

    // In the transaction that is to delete the user, before it; others that ask wait for its end.
    // Why the deletion waits; nothing when it goes through.
    Task<std::optional<std::string>> reason(pg::Transaction& tx, const std::string& clerk_id);

private:
    Task<std::int64_t> active_before(pg::Transaction& tx, std::int64_t deleted);

    DeletionGuard guard_;
    std::int64_t active_before_ = 0;
    std::optional<SteadyTime> counted_at_;
};

}  // namespace rollcall::sync
