#include "sync/refusal.hpp"

#include <gtest/gtest.h>

namespace rollcall::sync {
namespace {

Refusal judged(std::string sqlstate) {
    return judge({"x", std::move(sqlstate), ""});
}

TEST(Refusal, TellsWhoseFaultItIs) {
    for (const char* state : {"40001", "40P01", "23505"}) EXPECT_EQ(judged(state), Refusal::again);
    for (const char* state : {"22001", "22021", "22P02"}) {
        EXPECT_EQ(judged(state), Refusal::for_ever);
    }
    for (const char* state : {"23502", "23503", "23514", "P0001", "44000", "09000", "54000"}) {
        EXPECT_EQ(judged(state), Refusal::for_now);
    }
    for (const char* state : {"42703", "42P01", "42501", "0A000", "26000", "3F000", "XX000"}) {
        EXPECT_EQ(judged(state), Refusal::undecided);
    }
    for (const char* state : {"08006", "53100", "57014", "58030"}) {
        EXPECT_EQ(judged(state), Refusal::server);
    }
}

TEST(Refusal, IsTheChangesOwnFaultWhenOthersGoThrough) {
    EXPECT_FALSE(own_fault(0, /*touched_at=*/100, /*last_applied_at=*/0));
    EXPECT_FALSE(own_fault(0, 100, 100));
    EXPECT_TRUE(own_fault(0, 100, 100.5));
    EXPECT_TRUE(own_fault(1, 100, 0));
}

TEST(Refusal, SaysWhy) {
    EXPECT_EQ(reason_of({"new row violates no_x", "23514", "no_x"}),
              "The database refuses this change: new row violates no_x (23514)");
}

}  // namespace
}  // namespace rollcall::sync
