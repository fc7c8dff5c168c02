// How a complete pass is shared out: disjoint spans of Clerk's created_at, each walked by one
// worker from its beginning to its end. Who is done takes half of the longest that is left. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace rollcall::sync {

struct Range {
    std::int64_t from_ms = 0;
    std::optional<std::int64_t> until_ms{};  // not included; absent: open
    std::int64_t reached_ms = 0;             // all before it is seen
    std::int64_t seen = 0;                   // users before reached_ms
    bool done = false;
    bool taken = false;           // a worker is at it
    std::int64_t claimed_ms = 0;  // … and will not let go of what is before this

    friend bool operator==(const Range&, const Range&) = default;
};

class RangePlan {
public:
    // Spans of equal length from `oldest_ms` up to and including `newest_ms`, and an open one
    // behind for those who come meanwhile.
    RangePlan(std::int64_t oldest_ms, std::int64_t newest_ms, int workers, std::size_t page_users);
    // Goes on from where these are.
    RangePlan(std::vector<Range> ranges, std::size_t page_users);

    // A range for a worker: one that nobody is at, or half of what another has still before it.
    // Nothing when no more can be shared out. The number stays that of the range.
    [[nodiscard]] std::optional<std::size_t> take();
    // What is before `until_ms` is being worked off and will not be shared out.
    void claim(std::size_t number, std::int64_t until_ms);
    // All users before `reached_ms` are seen, `more` than before.
    void advance(std::size_t number, std::int64_t reached_ms, std::int64_t more);
    void finish(std::size_t number, std::int64_t more);

    [[nodiscard]] const Range& operator[](std::size_t number) const { return ranges_[number]; }
    [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
    [[nodiscard]] bool done() const;
    // Users seen before `until_ms`, of ranges that end there or earlier.
    [[nodiscard]] std::int64_t seen_before(std::int64_t until_ms) const;

private:
    [[nodiscard]] std::optional<std::size_t> longest() const;
    [[nodiscard]] double users_left(const Range& range) const;

    std::vector<Range> ranges_;
    std::size_t page_users_;
};

}  // namespace rollcall::sync
