#include "clerk/retry_decision.hpp"

#include <gtest/gtest.h>
#include <set>

namespace rollcall::clerk {
namespace {

using http::Attempt;
using http::RetryReason;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Patience patience{.total = seconds(60), .attempts_max = 4, .outlasts_circuit = true};
constexpr milliseconds plenty = seconds(60);

Attempt answered(unsigned status, std::string_view retry_after = "") {
    Attempt attempt;
    attempt.response = http::Response::json(status, "{}");
    if (!retry_after.empty()) attempt.response->headers.add("Retry-After", retry_after);
    return attempt;
}

std::optional<Decision> decided(const Attempt& attempt, int faults = 0, milliseconds left = plenty,
                                const Patience& how = patience) {
    static Random random(7);
    return decide(attempt, faults, how, left, random);
}

TEST(RetryDecision, AnswersThatWillNotChangeAreTaken) {
    for (const unsigned status : {200U, 204U, 302U, 400U, 401U, 403U, 404U, 408U, 422U}) {
        EXPECT_FALSE(decided(answered(status))) << status;
    }
}

TEST(RetryDecision, FaultsAreRepeatedWithJitterUpToTheMost) {
    for (const unsigned status : {500U, 502U, 503U, 504U}) {
        const auto decision = decided(answered(status));
        ASSERT_TRUE(decision) << status;
        EXPECT_TRUE(decision->again);
        EXPECT_EQ(decision->reason, RetryReason::server_error);
        EXPECT_GT(decision->wait, milliseconds(0));
        EXPECT_LE(decision->wait, milliseconds(500));
        EXPECT_EQ(decision->hold, milliseconds(0));
        EXPECT_TRUE(decided(answered(status), 2)->again);
        EXPECT_FALSE(decided(answered(status), 3)->again) << "the fourth was the last";
    }
    std::set<milliseconds> waits;
    for (int i = 0; i < 50; ++i) waits.insert(decided(answered(500), 2)->wait);
    EXPECT_GT(waits.size(), 20U) << "spread out";
    EXPECT_LE(*waits.rbegin(), seconds(2));
}

TEST(RetryDecision, NoAnswerIsRepeated) {
    const auto decision = decided({.failure = "timeout"});
    ASSERT_TRUE(decision);
    EXPECT_TRUE(decision->again);
    EXPECT_EQ(decision->reason, RetryReason::no_answer);
    EXPECT_FALSE(decided({.failure = "timeout"}, 3)->again);
}

TEST(RetryDecision, RetryAfterHoldsEveryCall) {
    const auto decision = decided(answered(429, "7"));
    ASSERT_TRUE(decision);
    EXPECT_TRUE(decision->again);
    EXPECT_FALSE(decision->counts) << "obeying Clerk uses up no attempt";
    EXPECT_EQ(decision->reason, RetryReason::rate_limited);
    EXPECT_GE(decision->hold, seconds(7));
    EXPECT_LE(decision->hold, milliseconds(7700));
    EXPECT_TRUE(decided(answered(429, "7"), 99)->again);
    EXPECT_GE(decided(answered(503, "7"))->hold, seconds(7));
    EXPECT_TRUE(decided(answered(503, "7"))->counts);
}

// However little it says: what answers 429 is left alone for a while.
TEST(RetryDecision, A429WithoutATimeHoldsForASecond) {
    for (const char* value : {"", "0", "soon"}) {
        EXPECT_GE(decided(answered(429, value))->hold, seconds(1)) << value;
        EXPECT_LE(decided(answered(429, value))->hold, milliseconds(1100)) << value;
    }
}

TEST(RetryDecision, WhatWouldBeTooLateIsGivenUpAtOnce) {
    const auto decision = decided(answered(429, "7"), 0, seconds(5));
    EXPECT_FALSE(decision->again);
    EXPECT_GE(decision->hold, seconds(7)) << "the others are told all the same";
    EXPECT_FALSE(decided(answered(500), 0, milliseconds(0))->again);
}

TEST(RetryDecision, AnOpenCircuitIsForThePatient) {
    const Attempt refused{.failure = "open", .sent = false, .wait = seconds(2)};
    const auto decision = decided(refused);
    ASSERT_TRUE(decision);
    EXPECT_TRUE(decision->again);
    EXPECT_EQ(decision->reason, RetryReason::circuit_open);
    EXPECT_GE(decision->wait, seconds(2));
    EXPECT_FALSE(decided(refused, 0, plenty, prompt)->again);
    EXPECT_FALSE(decided(refused, 3)->again);
}

}  // namespace
}  // namespace rollcall::clerk
