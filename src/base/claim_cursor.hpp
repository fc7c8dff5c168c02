// Where the next claim of due jobs begins.
//
// Entries of finished jobs stay in the queue's index as long as any session holds an old snapshot
// (a dump, a report), and a claim that begins at the head walks all of them. So each claim goes on
// after the last job claimed. What it cannot see from there is looked for from further back: a job
// whose transaction committed late is close behind, so as soon as there is no backlog claims begin
// a little earlier; one that a worker left (it died, its batch was refused) may be anywhere, so now
// and then a pass begins at the head: a twentieth of the time at most, by what it cost.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rollcall {

// Jobs of one priority that come after this one, by the time that orders them and then by id.
struct ClaimPosition {
    int priority = 1;
    std::optional<std::int64_t> at_us{};  // microseconds since 1970; absent: all of them
    std::string id = "00000000-0000-0000-0000-000000000000";
};

// Decides by the times passed in. One for each claimer of a queue, for all its lanes.
class ClaimCursor {
public:
    enum class Reach : std::uint8_t {
        onward,  // after the last job claimed
        near,    // from `lookback` before it
        head,    // from the beginning
    };
    static constexpr std::chrono::milliseconds lookback{250};
    static constexpr std::chrono::seconds head_interval{1};
    static constexpr int head_rest = 19;  // times what it cost, between two passes from the head

    // How far back the pass looks that begins now.
    [[nodiscard]] Reach begin_pass(SteadyTime now);
    // What it found and what looking took, the work on jobs left out.
    void end_pass(Reach reach, bool full, Duration cost, SteadyTime now);

    // Highest first: 2 and 1, which the webhook door uses, and those seen.
    [[nodiscard]] const std::vector<int>& priorities() const { return priorities_; }
    void add_priorities(std::span<const int> seen);

    [[nodiscard]] ClaimPosition position(int priority, Reach reach) const;
    // `last` of the jobs just claimed; `full`: there may be more after it.
    void claimed(const ClaimPosition& last, Reach reach, bool full);
    // Jobs behind the positions may be due again: look from the head next.
    void reset() { head_due_ = true; }

private:
    std::vector<int> priorities_{2, 1};
    std::map<int, ClaimPosition> reached_;
    bool backlog_ = false;
    bool head_due_ = true;
    bool head_under_way_ = false;
    SteadyTime next_head_{};
};

// One pass, from construction to destruction: however it ends, the next one knows. The cursor must
// outlive it.
class ClaimPass {
public:
    explicit ClaimPass(ClaimCursor& cursor);
    ~ClaimPass();  // without done(): something was claimed and left, or may have been
    ClaimPass(const ClaimPass&) = delete;
    ClaimPass& operator=(const ClaimPass&) = delete;

    [[nodiscard]] ClaimCursor::Reach reach() const { return reach_; }
    void done(bool full, Duration cost);

private:
    ClaimCursor& cursor_;
    ClaimCursor::Reach reach_;
    bool done_ = false;
    bool full_ = false;
    Duration cost_{};
};

}  // namespace rollcall
