#include "sync/range_plan.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::sync {

RangePlan::RangePlan(std::int64_t oldest_ms, std::int64_t newest_ms, int workers,
                     std::size_t page_users)
    : page_users_(page_users) {
    ensure(workers > 0 && page_users > 0, "range plan: workers, page");
    const std::int64_t end = std::max<std::int64_t>(newest_ms, 0) + 1;
    const std::int64_t begin = std::clamp<std::int64_t>(oldest_ms, 0, end - 1);
    const std::int64_t length = std::max<std::int64_t>((end - begin + workers - 1) / workers, 1);
    // The first from the beginning of time: for those who are older than the oldest.
    for (std::int64_t from = 0, until = begin + length; from < end; until += length) {
        const std::int64_t stop = std::min(until, end);
        ranges_.push_back({.from_ms = from, .until_ms = stop, .reached_ms = from});
        from = stop;
    }
    ranges_.push_back({.from_ms = end, .reached_ms = end});
}

RangePlan::RangePlan(std::vector<Range> ranges, std::size_t page_users)
    : ranges_(std::move(ranges)), page_users_(page_users) {
    for (Range& range : ranges_) range.taken = range.done;
}

std::optional<std::size_t> RangePlan::take() {
    for (std::size_t number = 0; number < ranges_.size(); ++number) {
        if (ranges_[number].taken) continue;
        ranges_[number].taken = true;
        return number;
    }
    const auto from = longest();
    if (!from) return std::nullopt;
    Range& range = ranges_[*from];
    const std::int64_t begin = std::max(range.reached_ms, range.claimed_ms);
    const std::int64_t middle = begin + (*range.until_ms - begin) / 2;
    Range half{.from_ms = middle, .until_ms = range.until_ms, .reached_ms = middle, .taken = true};
    range.until_ms = middle;
    ranges_.push_back(half);
    return ranges_.size() - 1;
}

void RangePlan::claim(std::size_t number, std::int64_t until_ms) {
    ranges_[number].claimed_ms = std::max(ranges_[number].claimed_ms, until_ms);
}

void RangePlan::advance(std::size_t number, std::int64_t reached_ms, std::int64_t more) {
    Range& range = ranges_[number];
    ensure(range.taken && !range.done && reached_ms >= range.reached_ms, "range plan: backwards");
    range.reached_ms = reached_ms;
    range.seen += more;
}

void RangePlan::finish(std::size_t number, std::int64_t more) {
    Range& range = ranges_[number];
    advance(number, range.until_ms.value_or(range.reached_ms), more);
    range.done = true;
}

bool RangePlan::done() const {
    return std::ranges::all_of(ranges_, &Range::done);
}

std::int64_t RangePlan::seen_before(std::int64_t until_ms) const {
    std::int64_t sum = 0;
    for (const Range& range : ranges_) {
        if (range.until_ms && *range.until_ms <= until_ms) sum += range.seen;
    }
    return sum;
}

std::optional<std::size_t> RangePlan::longest() const {
    std::optional<std::size_t> found;
    double most = 2.0 * static_cast<double>(page_users_);  // less is not worth sharing
    for (std::size_t number = 0; number < ranges_.size(); ++number) {
        const double left = users_left(ranges_[number]);
        if (left < most) continue;
        most = left;
        found = number;
    }
    return found;
}

double RangePlan::users_left(const Range& range) const {
    if (range.done || !range.until_ms) return 0;
    const std::int64_t left = *range.until_ms - std::max(range.reached_ms, range.claimed_ms);
    if (left < 2) return 0;
    double seen = 0;
    double length = 0;
    const auto add = [&](const Range& one) {
        seen += static_cast<double>(one.seen);
        length += static_cast<double>(one.reached_ms - one.from_ms);
    };
    // The first begins long before anybody signed up: it is as dense as the others so far, and so
    // is one of which nothing is seen.
    const auto tells = [](const Range& one) { return one.seen > 0 && one.from_ms > 0; };
    if (tells(range)) {
        add(range);
    } else {
        for (const Range& other : ranges_) {
            if (tells(other)) add(other);
        }
    }
    if (seen <= 0) add(range);
    // Nobody seen anywhere: time is all there is to go by.
    if (seen <= 0 || length <= 0) return static_cast<double>(left);
    return static_cast<double>(left) * seen / length;
}

}  // namespace rollcall::sync
