#include "sim/faults.hpp"

#include <gtest/gtest.h>

namespace rollcall::sim {
namespace {

int struck(Faults& faults, Fault fault, int tries) {
    int times = 0;
    for (int i = 0; i < tries; ++i) times += faults.strikes(fault) ? 1 : 0;
    return times;
}

TEST(Faults, AreAllOffAtFirst) {
    Faults faults(1);
    for (int i = 0; i < static_cast<int>(Fault::count); ++i) {
        EXPECT_FALSE(faults.strikes(static_cast<Fault>(i)));
    }
    EXPECT_TRUE(faults.struck().empty());
}

TEST(Faults, CountDownAndThenStop) {
    Faults faults(1);
    ASSERT_TRUE(faults.merge({{"api_429", 3}}));
    EXPECT_EQ(struck(faults, Fault::api_429, 10), 3);
    EXPECT_EQ(faults.struck(), (json::object{{"api_429", 3}}));
    EXPECT_EQ(faults.to_json().at("api_429"), json::value(false));
}

TEST(Faults, StrikeAlwaysWhenTrue) {
    Faults faults(1);
    ASSERT_TRUE(faults.merge({{"drop", true}}));
    EXPECT_EQ(struck(faults, Fault::drop, 10), 10);
    ASSERT_TRUE(faults.merge({{"drop", false}}));
    EXPECT_EQ(struck(faults, Fault::drop, 10), 0);
}

TEST(Faults, StrikeWithAProbabilityThatTheSeedRepeats) {
    Faults one(9);
    Faults other(9);
    ASSERT_TRUE(one.merge({{"duplicate", 0.2}}));
    ASSERT_TRUE(other.merge({{"duplicate", 0.2}}));
    int times = 0;
    for (int i = 0; i < 10'000; ++i) {
        const bool strikes = one.strikes(Fault::duplicate);
        EXPECT_EQ(strikes, other.strikes(Fault::duplicate));
        times += strikes ? 1 : 0;
    }
    EXPECT_NEAR(times, 2000, 200);
}

TEST(Faults, RefuseWhatTheyDoNotUnderstandAndChangeNothing) {
    Faults faults(1);
    const auto before = faults.to_json();
    for (const json::object& bad :
         {json::object{{"drop", true}, {"dorp", true}}, json::object{{"drop", 1.5}},
          json::object{{"drop", -1}}, json::object{{"drop", "often"}},
          json::object{{"drop", nullptr}}, json::object{{"slow_seconds", -1}},
          json::object{{"retry_after_seconds", 0.5}}, json::object{{"auth_down", 3}},
          json::object{{"auth_retry_after_seconds", 0.5}},
          json::object{{"deleted_cursor", "explode"}}}) {
        const auto done = faults.merge(bad);
        ASSERT_FALSE(done.has_value());
        EXPECT_EQ(done.error().code, ErrorCode::invalid_input);
        EXPECT_EQ(faults.to_json(), before);
    }
}

TEST(Faults, TakeAssignmentsFromTheCommandLine) {
    Faults faults(1);
    EXPECT_TRUE(faults.merge_text("duplicate=0.5"));
    EXPECT_TRUE(faults.merge_text("api_429=2"));
    EXPECT_TRUE(faults.merge_text("drop=always"));
    EXPECT_TRUE(faults.merge_text("reorder=off"));
    EXPECT_TRUE(faults.merge_text("deleted_cursor=refuse"));
    EXPECT_TRUE(faults.merge_text("slow_seconds=0.25"));
    const auto now = faults.to_json();
    EXPECT_EQ(now.at("duplicate"), json::value(0.5));
    EXPECT_EQ(now.at("api_429"), json::value(2));
    EXPECT_EQ(now.at("drop"), json::value(true));
    EXPECT_TRUE(faults.refuses_deleted_cursor());
    EXPECT_EQ(faults.slow(), std::chrono::milliseconds(250));
    EXPECT_FALSE(faults.merge_text("duplicate"));
    EXPECT_FALSE(faults.merge_text("duplicate=often"));
}

TEST(Faults, TakeBackWhatTheyTold) {
    Faults faults(1);
    ASSERT_TRUE(
        faults.merge({{"drop", 0.25}, {"delay_seconds", 3}, {"api_5xx", 4}, {"auth_down", true}}));
    Faults copy(1);
    ASSERT_TRUE(copy.merge(faults.to_json()));
    EXPECT_EQ(copy.to_json(), faults.to_json());
    faults.clear();
    EXPECT_EQ(faults.to_json(), Faults(1).to_json());
}

}  // namespace
}  // namespace rollcall::sim
