// Where the claims of due changes go on, for each priority, so that a claim does not walk again
// over the index entries of finished jobs: those stay for as long as another session holds an old
// snapshot. What committed late, or was rolled back, lies behind the cursor; looking again from the
// head finds it. Looking costs more the more dead entries there are, so it is done no more often
// than a small share of the time allows. Pure.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "directory/directory.hpp"

#include <vector>

namespace rollcall::sync {

class ClaimCursor {
public:
    // Whether it is time to look from the head again.
    [[nodiscard]] bool look_due(SteadyTime now) const { return now >= next_look_; }

    // A look, which took `cost`, found these priorities, highest first: claims begin at the head.
    void looked(const std::vector<int>& priorities, Duration cost, SteadyTime now);

    [[nodiscard]] const std::vector<directory::ClaimPosition>& positions() const {
        return positions_;
    }
    // Goes on after `last`, which another lane may have passed already.
    void advance(const directory::ClaimPosition& last);
    // Nothing more is due at this priority, as far as is known.
    void exhausted(int priority);

private:
    std::vector<directory::ClaimPosition> positions_;  // highest priority first
    SteadyTime next_look_{};
};

}  // namespace rollcall::sync
