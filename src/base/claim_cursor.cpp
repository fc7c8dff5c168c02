#include "base/claim_cursor.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <tuple>

namespace rollcall {
namespace {

auto order(const ClaimPosition& position) {
    return std::tuple(position.at_us, std::string_view(position.id));
}

}  // namespace

ClaimCursor::Reach ClaimCursor::begin_pass(SteadyTime now) {
    if (!head_under_way_ && (head_due_ || now >= next_head_)) {
        head_under_way_ = true;
        head_due_ = false;
        return Reach::head;
    }
    return backlog_ ? Reach::onward : Reach::near;
}

void ClaimCursor::end_pass(Reach reach, bool full, Duration cost, SteadyTime now) {
    backlog_ = full;
    if (reach != Reach::head) return;
    head_under_way_ = false;
    next_head_ = now + std::max<Duration>(head_interval, cost * head_rest);
}

void ClaimCursor::add_priorities(std::span<const int> seen) {
    for (const int priority : seen) {
        if (std::ranges::find(priorities_, priority) == priorities_.end()) {
            priorities_.push_back(priority);
        }
    }
    std::ranges::sort(priorities_, std::greater());
}

ClaimPosition ClaimCursor::position(int priority, Reach reach) const {
    const auto found = reached_.find(priority);
    if (reach == Reach::head || found == reached_.end()) {
        return {.priority = priority, .at_us = std::nullopt};
    }
    if (reach == Reach::onward) return found->second;
    constexpr std::int64_t back = std::chrono::microseconds(lookback).count();
    return {.priority = priority, .at_us = found->second.at_us.value_or(0) - back};
}

void ClaimCursor::claimed(const ClaimPosition& last, Reach reach, bool full) {
    const auto [found, added] = reached_.try_emplace(last.priority, last);
    // More jobs behind what was reached before: go on from there, not from the front.
    const bool go_back = full && reach != Reach::onward;
    if (!added && (go_back || order(last) > order(found->second))) found->second = last;
}

ClaimPass::ClaimPass(ClaimCursor& cursor)
    : cursor_(cursor), reach_(cursor.begin_pass(std::chrono::steady_clock::now())) {}

ClaimPass::~ClaimPass() {
    if (!done_) cursor_.reset();
    cursor_.end_pass(reach_, full_, cost_, std::chrono::steady_clock::now());
}

void ClaimPass::done(bool full, Duration cost) {
    done_ = true;
    full_ = full;
    cost_ = cost;
}

}  // namespace rollcall
