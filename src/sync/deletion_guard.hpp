// How many deletions one complete pass may conclude without a person. Pure.
#pragma once

#include <cstdint>

namespace rollcall::sync {

struct DeletionGuard {
    std::int64_t users = 10;  // this many always, or …
    double ratio = 0.01;      // … this share of the active users, whichever is more
    [[nodiscard]] bool holds(std::int64_t absent, std::int64_t active) const;
};

}  // namespace rollcall::sync
