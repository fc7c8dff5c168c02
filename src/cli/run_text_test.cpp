#include "cli/run_text.hpp"

#include "cli/run_progress.hpp"

#include <gmock/gmock.h>

namespace rollcall::cli {
namespace {

using sync::RunFailure;
using sync::RunStatus;
using testing::HasSubstr;
using testing::Not;

sync::RunSummary ended(RunStatus status, RunFailure failure = RunFailure::none) {
    sync::RunSummary summary;
    summary.run = 17;
    summary.mode = sync::RunMode::full;
    summary.status = status;
    summary.failure = failure;
    if (failure != RunFailure::none) summary.error = "the reason";
    return summary;
}

TEST(RunText, ExitCodesAreTheContracts) {
    EXPECT_EQ(exit_code_of(ended(RunStatus::completed)), 0);
    EXPECT_EQ(exit_code_of(ended(RunStatus::failed, RunFailure::clerk_away)), 69);
    for (const RunFailure failure : {RunFailure::wrong_key, RunFailure::other_instance,
                                     RunFailure::inconsistent, RunFailure::interrupted}) {
        EXPECT_EQ(exit_code_of(ended(RunStatus::incomplete, failure)), 1);
    }
    auto held = ended(RunStatus::completed);
    held.held_deletes = 25;
    EXPECT_EQ(exit_code_of(held), 1);
}

TEST(RunText, AComparisonIsEqualOnlyWhenItWasComplete) {
    EXPECT_EQ(exit_code_of_comparison(ended(RunStatus::completed)), 0);
    auto different = ended(RunStatus::completed);
    different.found.extra = 1;
    EXPECT_EQ(exit_code_of_comparison(different), 1);
    EXPECT_THAT(comparison_text(different), HasSubstr("1 extra"));
    EXPECT_EQ(exit_code_of_comparison(ended(RunStatus::incomplete, RunFailure::inconsistent)), 1);
    EXPECT_EQ(exit_code_of_comparison(ended(RunStatus::failed, RunFailure::clerk_away)), 69);
    EXPECT_THAT(comparison_text(ended(RunStatus::failed, RunFailure::clerk_away)),
                HasSubstr("the reason"));
}

TEST(RunText, HeldDeletionsNameTheCommandThatDecides) {
    auto held = ended(RunStatus::completed);
    EXPECT_EQ(held_text(held), "");
    held.held_deletes = 25;
    EXPECT_THAT(held_text(held), HasSubstr("rollcall sync --approve-deletes 17"));
    EXPECT_THAT(held_text(held), HasSubstr("rollcall sync --discard-deletes 17"));
    held.mode = sync::RunMode::user;
    EXPECT_THAT(held_text(held), HasSubstr("rollcall sync --full"));
}

TEST(RunText, APassInALine) {
    auto pass = ended(RunStatus::completed);
    pass.seen = 5;
    EXPECT_EQ(brief_text(pass), "5 users seen, 0 changed");
    pass.seen = pass.created = 1;
    pass.held_deletes = 12;
    EXPECT_EQ(brief_text(pass), "1 user seen, 1 changed, 12 deletions held back");
    EXPECT_EQ(brief_text(ended(RunStatus::failed, RunFailure::clerk_away)), "failed: the reason");
}

TEST(RunText, HistorySaysWhatARunGoesOnFrom) {
    sync::RunRecord record;
    record.summary = ended(RunStatus::incomplete, RunFailure::interrupted);
    record.continues = 16;
    EXPECT_THAT(to_text({record}), HasSubstr("the reason; goes on from run 16"));
    EXPECT_EQ(to_json(std::vector<sync::RunRecord>()), "{\"runs\":[]}\n");
}

TEST(RunProgress, TheBarShowsUsersRateAndTimeLeft) {
    EXPECT_EQ(bar({.seen = 300, .expected = 1000, .rate = 150}),
              "[#########---------------------]  30%  300 of 1000 users  150/s  5s left");
    EXPECT_EQ(line({.seen = 300, .expected = 1000, .rate = 150}),
              "300 of 1000 users (30%), 150/s, 5s left");
    EXPECT_EQ(line({.seen = 300, .expected = std::nullopt, .rate = 150}), "300 users, 150/s");
    EXPECT_THAT(line({.seen = 0, .expected = 10'000, .rate = 2}), HasSubstr("1h23m left"));
}

// Nobody, more than expected, no rate yet: no division by zero, no share above the whole.
TEST(RunProgress, OddNumbersStayWithinTheBar) {
    EXPECT_THAT(bar({.seen = 0, .expected = 0, .rate = 0}), HasSubstr("  0%"));
    EXPECT_THAT(bar({.seen = 12, .expected = 10, .rate = 3}), HasSubstr("] 100%"));
    EXPECT_THAT(bar({.seen = 12, .expected = 10, .rate = 3}), Not(HasSubstr("left")));
}

TEST(RunProgress, WhatIsNoTerminalGetsALineNowAndThen) {
    ManualClock clock{SystemTime()};
    testing::internal::CaptureStderr();
    {
        RunProgress progress(/*terminal=*/false, clock);
        auto so_far = ended(RunStatus::running);
        so_far.seen = 500;  // by the run before
        progress.advanced(so_far, 2000);
        for (int page = 0; page < 10; ++page) {
            clock.advance(std::chrono::seconds(1));
            so_far.seen += 100;
            progress.advanced(so_far, 2000);
        }
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "500 of 2000 users (25%), 0/s\n"
              "1000 of 2000 users (50%), 100/s, 10s left\n"
              "1500 of 2000 users (75%), 100/s, 5s left\n");
}

TEST(RunProgress, TheBarMakesWayForADifference) {
    ManualClock clock{SystemTime()};
    std::string seen;
    testing::internal::CaptureStderr();
    {
        RunProgress progress(/*terminal=*/true, clock,
                             [&](const sync::Difference& one) { seen = one.clerk_id; });
        progress.advanced(ended(RunStatus::running), 10);
        progress.differs({.clerk_id = "user_a", .fields = {}});
    }
    EXPECT_EQ(seen, "user_a");
    const std::string drawn = testing::internal::GetCapturedStderr();
    EXPECT_THAT(drawn, HasSubstr("0 of 10 users"));
    EXPECT_TRUE(drawn.ends_with("\r\x1b[K")) << drawn;
}

}  // namespace
}  // namespace rollcall::cli
