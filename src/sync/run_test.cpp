#include "sync/run.hpp"

#include "sync/deletion_guard.hpp"

#include <gtest/gtest.h>

namespace rollcall::sync {
namespace {

TEST(RunSummary, HasExactlyTheNamesOfTheContract) {
    RunSummary summary;
    summary.mode = RunMode::full;
    summary.status = RunStatus::incomplete;
    summary.seen = 12;
    summary.held_deletes = 3;
    summary.duration_seconds = 1.5;
    EXPECT_EQ(to_json(summary),
              R"({"mode":"full","status":"incomplete","seen":12,"created":0,"updated":0,)"
              R"("unchanged":0,"deleted":0,"restored":0,"held_deletes":3,"pages":0,"requests":0,)"
              R"("duration_seconds":1.500,"error":null})");
    summary.error = "Clerk says \"no\"";
    EXPECT_NE(to_json(summary).find(R"("error":"Clerk says \"no\"")"), std::string::npos);
}

TEST(RunSummary, NamesGoThereAndBack) {
    for (const auto mode : {RunMode::incremental, RunMode::full, RunMode::user}) {
        EXPECT_EQ(parse_run_mode(to_string(mode)), mode);
    }
    for (const auto trigger : {RunTrigger::schedule, RunTrigger::start, RunTrigger::job}) {
        EXPECT_EQ(parse_run_trigger(to_string(trigger)), trigger);
    }
    for (const auto status : {RunStatus::running, RunStatus::failed}) {
        EXPECT_EQ(parse_run_status(to_string(status)), status);
    }
    EXPECT_FALSE(parse_run_mode("partial").has_value());
}

TEST(DeletionGuard, TheLargerOfBothCounts) {
    const DeletionGuard guard{.users = 10, .ratio = 0.01};
    EXPECT_FALSE(guard.holds(0, 0));
    EXPECT_FALSE(guard.holds(10, 10));
    EXPECT_TRUE(guard.holds(11, 10));
    EXPECT_TRUE(guard.holds(11, 1'000));
    EXPECT_FALSE(guard.holds(100, 10'000));
    EXPECT_TRUE(guard.holds(101, 10'000));
}

TEST(DeletionGuard, NothingMayPassWhereItIsZero) {
    const DeletionGuard guard{.users = 0, .ratio = 0};
    EXPECT_FALSE(guard.holds(0, 100));
    EXPECT_TRUE(guard.holds(1, 100));
}

}  // namespace
}  // namespace rollcall::sync
