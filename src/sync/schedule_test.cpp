#include "sync/schedule.hpp"

#include <gtest/gtest.h>
#include <chrono>

namespace rollcall::sync {
namespace {

using namespace std::chrono_literals;

const SystemTime noon(std::chrono::milliseconds(1'800'000'000'000));

// As after a complete pass an hour ago and an incremental one two minutes ago.
SyncState settled() {
    SyncState out;
    out.now = noon;
    out.watermark_ms = 1;
    out.full_completed_at = noon - 1h;
    out.last_started_at = noon - 2min;
    out.last_completed_at = noon - 2min;
    return out;
}

NextRun next(const SyncState& state, double chance = 0.5) {
    return next_run(state, {}, chance);
}

TEST(Schedule, TheFirstIsComplete) {
    SyncState state;
    state.now = noon;
    EXPECT_EQ(next(state).wait, 0ms);
    EXPECT_EQ(next(state).mode, RunMode::full);
    EXPECT_EQ(next(state).trigger, RunTrigger::start);
}

TEST(Schedule, ThenEveryIntervalAnIncrementalOne) {
    EXPECT_EQ(next(settled()).wait, 3min);
    EXPECT_EQ(next(settled()).mode, RunMode::incremental);
    EXPECT_EQ(next(settled(), 0.0).wait, 2min + 30s);
    EXPECT_EQ(next(settled(), 0.999'999).wait / 1s, 209);
    SyncState state = settled();
    state.last_started_at = noon - 10min;
    EXPECT_EQ(next(state).wait, 0ms);
}

TEST(Schedule, ACompleteOneAfterItsOwnInterval) {
    SyncState state = settled();
    state.full_completed_at = noon - 24h;
    EXPECT_EQ(next(state).wait, 0ms);
    EXPECT_EQ(next(state).mode, RunMode::full);
    EXPECT_EQ(next(state).trigger, RunTrigger::schedule);
    state.full_completed_at = noon - 24h + 1min;
    EXPECT_EQ(next(state).wait, 1min);
    EXPECT_EQ(next(state).mode, RunMode::full);
}

TEST(Schedule, WhatFailedIsRepeatedMoreAndMoreSeldom) {
    SyncState state = settled();
    state.last_started_at = noon;
    const auto wait = [&](int failures) {
        state.failures_in_a_row = failures;
        return next(state).wait;
    };
    EXPECT_EQ(wait(1), 5min);
    EXPECT_EQ(wait(2), 10min);
    EXPECT_EQ(wait(4), 40min);
    EXPECT_EQ(wait(1000), 40min);
    state.full_completed_at.reset();  // the first complete pass, too
    EXPECT_EQ(wait(1), 5min);
    EXPECT_EQ(next(state).mode, RunMode::full);
}

TEST(Schedule, WhenMoreHasChangedThanAnIncrementalOneCanReadACompleteOneFollows) {
    SyncState state = settled();
    state.last_started_at = noon;
    state.failures_in_a_row = 1;
    EXPECT_EQ(next(state).mode, RunMode::incremental);
    state.outpaced = true;
    EXPECT_EQ(next(state).mode, RunMode::full);
    EXPECT_EQ(next(state).wait, 5min);
}

TEST(Schedule, WhoTakesTheDutyBeginsWithWhatAStopCutShort) {
    SyncState state = settled();
    const auto first = [&] { return first_run(state, {}, 0.5); };
    EXPECT_EQ(first().wait, 3min);
    EXPECT_EQ(first().trigger, RunTrigger::schedule);
    state.failures_in_a_row = 3;
    EXPECT_EQ(first().wait, 18min);
    state.interrupted = RunMode::incremental;
    EXPECT_EQ(first().wait, 0ms);
    EXPECT_EQ(first().mode, RunMode::incremental);
    EXPECT_EQ(first().trigger, RunTrigger::start);
    state.interrupted = RunMode::full;
    EXPECT_EQ(first().wait, 0ms);
    EXPECT_EQ(first().mode, RunMode::full);
    // Whoever has the duty already waits: the stop was somebody's wish.
    EXPECT_EQ(next(state).wait, 18min);
}

TEST(Schedule, AClockThatWasSetBackOnlyWaitsAnInterval) {
    SyncState state = settled();
    state.now = noon - 50min;
    EXPECT_EQ(next(state).wait, 5min);
    EXPECT_EQ(next(state).mode, RunMode::incremental);
}

TEST(Schedule, AClockThatWasSetBackToBeforeTheLastCompleteOneMakesAnotherDue) {
    SyncState state = settled();
    state.now = noon - 1h - 4min;  // by less than an interval: a little later then
    EXPECT_EQ(next(state).mode, RunMode::incremental);
    state.now = noon - 2h;
    EXPECT_EQ(next(state).wait, 0ms);
    EXPECT_EQ(next(state).mode, RunMode::full);
    state.failures_in_a_row = 1;
    EXPECT_EQ(next(state).wait, 5min);
}

}  // namespace
}  // namespace rollcall::sync
