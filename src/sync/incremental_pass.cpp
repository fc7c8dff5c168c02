#include "sync/incremental_pass.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace rollcall::sync {
namespace {

// Each page begins this many rows before the end of the one before: a deletion moves rows up.
constexpr std::size_t shared_rows = 20;
constexpr int steps_back_max = 10;
// Beyond this a complete pass is cheaper, and Clerk slow.
constexpr std::size_t offset_max = 100'000;

}  // namespace

IncrementalPass::IncrementalPass(Pass& pass, IncrementalPassConfig config)
    : pass_(pass), config_(config) {}

// The page at `offset`, or an earlier one that goes on from the page before without a gap.
Task<std::optional<Page>> IncrementalPass::next(std::size_t& offset) {
    const std::unordered_set<std::string_view> before(last_page_.begin(), last_page_.end());
    for (int step = 0; step <= steps_back_max; ++step) {
        clerk::UserQuery query;
        query.order = clerk::UserOrder::updated_newest;
        query.limit = config_.page_users;
        query.offset = offset;
        auto page = co_await pass_.list(std::move(query));
        if (!page) co_return std::nullopt;
        const bool joined = offset == 0 || std::ranges::any_of(page->users, [&](const auto& user) {
                                return before.contains(user.id);
                            });
        if (joined) co_return page;
        offset -= std::min(offset, config_.page_users);
    }
    pass_.fail(RunFailure::inconsistent, "Clerk's list moves faster than it can be read");
    co_return std::nullopt;
}

Task<> IncrementalPass::work_off(const Page& page) {
    std::unordered_set<std::string_view> known(last_page_.begin(), last_page_.end());
    std::vector<clerk::User> users;
    for (const clerk::User& user : page.users) {
        if (known.insert(user.id).second) users.push_back(user);
    }
    pass_.summary().seen += std::ssize(users);
    co_await pass_.work_off(users, page.asked_at);
}

Task<std::int64_t> IncrementalPass::run(std::int64_t watermark_ms) {
    co_await pass_.look_at_time();
    const std::int64_t until_ms = watermark_ms - config_.overlap.count();
    std::int64_t reached_ms = watermark_ms;
    std::size_t offset = 0;
    while (!pass_.stopped()) {
        const auto page = co_await next(offset);
        if (!page) break;
        if (offset == 0 && !page->users.empty()) {
            reached_ms = std::max(reached_ms, page->users.front().updated_at_ms);
        }
        co_await work_off(*page);
        pass_.report_progress();
        const bool last =
            page->users.size() < config_.page_users || page->users.back().updated_at_ms < until_ms;
        if (last) break;
        offset += page->users.size() - std::min(shared_rows, page->users.size() / 2);
        if (offset > offset_max) {
            pass_.fail(RunFailure::inconsistent,
                       "more has changed than an incremental pass should read: a complete one "
                       "is due");
        }
        last_page_.clear();
        for (const clerk::User& user : page->users) last_page_.push_back(user.id);
    }
    if (!pass_.stopped()) co_await pass_.work_off_rest();
    co_return reached_ms;
}

}  // namespace rollcall::sync
