#include "sync/full_pass.hpp"

#include "base/failpoint.hpp"
#include "base/together.hpp"
#include "sync/incremental_pass.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <utility>

namespace rollcall::sync {
namespace {

std::int64_t to_us(std::int64_t ms) {
    return ms * 1'000;
}

}  // namespace

FullPass::FullPass(Pass& pass, FullPassConfig config)
    : pass_(pass), config_(config), departures_(pass, config.guard) {
    // Looked up at the end, also by a pass that goes on from this one.
    pass_.put_off_to([this](std::vector<std::string> clerk_ids) -> Task<> {
        co_await departures_.add(std::move(clerk_ids));
    });
}

Task<std::optional<CutShort>> FullPass::look() {
    co_await pass_.look_at_time();
    CutShort out;
    clerk::UserQuery one;
    one.limit = 1;
    one.order = clerk::UserOrder::updated_newest;
    const auto updated = co_await pass_.list(one);
    if (!updated) co_return std::nullopt;
    if (!updated->users.empty()) out.newest_updated_ms = updated->users.front().updated_at_ms;
    one.order = clerk::UserOrder::created_newest;
    const auto created = co_await pass_.list(one);
    if (!created) co_return std::nullopt;
    clerk::UserFilter known;
    if (!created->users.empty()) {
        out.newest_created_ms = std::max<std::int64_t>(created->users.front().created_at_ms, 0);
        known.created_before_ms = out.newest_created_ms + 1;
    }
    const auto users = co_await pass_.count(known);
    if (!users) co_return std::nullopt;
    // Else a pass would compare nothing with nothing, and be whole.
    if (created->users.empty() && *users > 0) {
        pass_.fail(RunFailure::inconsistent,
                   fmt::format("Clerk lists nobody and counts {} users", *users));
        co_return std::nullopt;
    }
    out.expected = *users;
    one.order = clerk::UserOrder::created;
    const auto oldest = co_await pass_.list(one);
    if (!oldest) co_return std::nullopt;
    const std::int64_t from = oldest->users.empty() ? 0 : oldest->users.front().created_at_ms;
    out.ranges =
        RangePlan(from, out.newest_created_ms, config_.workers, config_.page_users).ranges();
    co_return out;
}

// Of what a run before has seen: a range of which somebody has gone since is read again. So is the
// open one: who came since would make up for who has gone.
Task<std::vector<Range>> FullPass::still_there(std::vector<Range> ranges) {
    for (Range& range : ranges) {
        if (range.until_ms) {
            if (range.seen == 0) continue;
            clerk::UserFilter span;
            if (range.from_ms > 0) span.created_after_ms = range.from_ms - 1;
            span.created_before_ms = range.done ? range.until_ms : std::optional(range.reached_ms);
            const auto users = co_await pass_.count(span);
            if (!users) break;
            if (*users >= range.seen) continue;
        }
        range = {.from_ms = range.from_ms, .until_ms = range.until_ms, .reached_ms = range.from_ms};
    }
    co_return ranges;
}

// And who has changed since it began is read now.
Task<> FullPass::catch_up(std::int64_t watermark_ms) {
    RunSummary& summary = pass_.summary();
    const RunSummary before = summary;
    IncrementalPass changes(
        pass_, {.page_users = config_.page_users, .overlap = std::chrono::milliseconds(0)});
    co_await changes.run(watermark_ms);
    summary.seen = before.seen;  // each is counted where the list has it
    summary.unchanged = before.unchanged;
}

Task<> FullPass::run(const CutShort& beginning) {
    const bool goes_on = beginning.run != 0;
    plan_ = RangePlan(goes_on ? co_await still_there(beginning.ranges) : beginning.ranges,
                      config_.page_users);
    pass_.expect(beginning.expected);
    for (const Range& range : plan_.ranges()) pass_.summary().seen += range.seen;
    pass_.report_progress();
    co_await pass_.look_whether_blank();
    std::vector<Task<>> workers;
    workers.reserve(static_cast<std::size_t>(config_.workers));
    for (int i = 0; i < config_.workers; ++i) workers.push_back(work());
    co_await together(std::move(workers));
    if (goes_on && !pass_.stopped()) co_await catch_up(beginning.newest_updated_ms);
    if (pass_.stopped()) co_return;
    co_await pass_.work_off_rest();
    if (pass_.stopped() || !co_await whole(beginning)) co_return;
    co_await departures_.add_unplaced();
    if (!pass_.stopped()) co_await departures_.conclude();
    co_await pass_.work_off_rest();
}

Task<> FullPass::work() {
    while (!pass_.stopped()) {
        const auto number = plan_.take();
        if (!number) co_return;
        co_await walk(*number);
    }
}

Task<> FullPass::walk(std::size_t number) {
    CreationWalk walk(plan_[number], config_.page_users);
    Page page;
    co_await ask(walk, page);
    while (!pass_.stopped()) {
        Page current = std::exchange(page, {});
        const auto turn = walk.turn(std::move(current.users), plan_[number]);
        if (!turn) {
            pass_.fail(RunFailure::inconsistent, turn.error().message);
            co_return;
        }
        // To itself until it is worked off; the users of the last millisecond are, too.
        if (turn->until_ms) plan_.claim(number, *turn->until_ms + (turn->over ? 0 : 1));
        pass_.summary().seen += std::ssize(turn->own);
        std::vector<Task<>> both;
        both.push_back(compare(*turn, current.asked_at));
        if (!turn->over) both.push_back(ask(walk, page));
        co_await together(std::move(both));
        failpoint("pass.after_page");
        if (pass_.stopped()) co_return;
        if (turn->over) {
            plan_.finish(number, turn->users);
        } else {
            plan_.advance(number, *turn->until_ms, turn->users);
        }
        pass_.report_progress();
        if (turn->over) co_return;
    }
}

// Gets the next page, or fails the pass.
Task<> FullPass::ask(CreationWalk& walk, Page& page) {
    auto answer = co_await pass_.try_list(walk.query());
    while (!answer && answer.error().code == ErrorCode::conflict && walk.restart()) {
        answer = co_await pass_.try_list(walk.query());
    }
    if (answer) {
        page = std::move(*answer);
    } else {
        pass_.fail(answer.error());
    }
}

Task<> FullPass::compare(const PageTurn& turn, SystemTime asked_at) {
    std::optional<Pass::Span> span(std::in_place);
    if (turn.from_ms > 0) span->times.from_us = to_us(turn.from_ms);
    if (turn.until_ms) span->times.until_us = to_us(*turn.until_ms);
    span->also = turn.also;
    span->absent = [this, &turn](std::vector<std::string> clerk_ids) -> Task<> {
        if (turn.searchable) co_await departures_.add(std::move(clerk_ids));
    };
    co_await pass_.work_off(turn.own, asked_at, span);
}

// Whether as many users were seen as Clerk counts; the count may have moved meanwhile.
Task<bool> FullPass::whole(const CutShort& beginning) {
    const std::int64_t end = beginning.newest_created_ms + 1;
    const auto now = co_await pass_.count({.created_before_ms = end});
    if (!now) co_return false;
    const std::int64_t seen = plan_.seen_before(end);
    const auto [least, most] = std::minmax(beginning.expected, *now);
    if (seen < least || seen > most) {
        pass_.fail(RunFailure::inconsistent,
                   fmt::format("Clerk listed {} users and counts {}", seen,
                               least == most ? std::to_string(most)
                                             : fmt::format("{} to {}", least, most)));
        co_return false;
    }
    const auto& [pool, directory, clerk, refresh] = pass_.parts();
    if (pass_.summary().seen == 0 && co_await directory.comparison().active(pool) > 0) {
        pass_.fail(RunFailure::inconsistent,
                   "Clerk lists nobody at all: nothing is concluded from that");
        co_return false;
    }
    co_return true;
}

}  // namespace rollcall::sync
