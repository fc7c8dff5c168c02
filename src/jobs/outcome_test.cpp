#include "jobs/outcome.hpp"

#include <gtest/gtest.h>

namespace rollcall::jobs {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Job job(int attempt, milliseconds age = milliseconds(0)) {
    Job it;
    it.attempt = attempt;
    it.fence = attempt;
    it.age = age;
    return it;
}

struct Resolve : testing::Test {
    Random random{1};
    RetryPolicy policy{.attempts_max = 3};

    Outcome resolved(Outcome outcome, const Job& of) {
        return resolve(std::move(outcome), of, policy, random);
    }
};

TEST_F(Resolve, EndsStayWhatTheyAre) {
    const auto completed = resolved(Completed{R"({"a":1})"}, job(3));
    EXPECT_EQ(std::get<Completed>(completed).result_json, R"({"a":1})");
    EXPECT_EQ(std::get<Failed>(resolved(Failed{"no"}, job(1))).reason, "no");
}

TEST_F(Resolve, ARetryGetsItsDelay) {
    const auto retry = std::get<Retry>(resolved(Retry{.reason = "busy"}, job(1)));
    ASSERT_TRUE(retry.delay);
    EXPECT_LE(*retry.delay, seconds(2));
    EXPECT_TRUE(retry.burns_attempt);
    EXPECT_EQ(retry.reason, "busy");
}

TEST_F(Resolve, AHandlersDelayIsKept) {
    const auto retry =
        std::get<Retry>(resolved(Retry{.reason = "wait", .delay = minutes(7)}, job(2)));
    EXPECT_EQ(retry.delay, minutes(7));
}

TEST_F(Resolve, TheLastAttemptsRetryIsAFailure) {
    EXPECT_EQ(std::get<Failed>(resolved(Retry{.reason = "busy"}, job(3))).reason, "busy");
    EXPECT_EQ(std::get<Failed>(resolved(Retry{.reason = "w", .delay = minutes(7)}, job(3))).reason,
              "w");
}

TEST_F(Resolve, AJobsOwnLimitCounts) {
    Job own = job(3);
    own.attempts_max = 5;
    EXPECT_TRUE(std::holds_alternative<Retry>(resolved(Retry{.reason = "busy"}, own)));
}

TEST_F(Resolve, AnOutageCostsNoAttempt) {
    const auto retry = std::get<Retry>(
        resolved(Retry{.reason = "away", .delay = {}, .burns_attempt = false}, job(3)));
    EXPECT_FALSE(retry.burns_attempt);
    ASSERT_TRUE(retry.delay);
    EXPECT_LE(*retry.delay, minutes(1));
}

TEST_F(Resolve, AnOutageOfMoreThanADayDoes) {
    const Retry away{.reason = "away", .delay = {}, .burns_attempt = false};
    EXPECT_TRUE(std::get<Retry>(resolved(away, job(1, hours(25)))).burns_attempt);
    EXPECT_TRUE(std::holds_alternative<Failed>(resolved(away, job(3, hours(25)))));
}

}  // namespace
}  // namespace rollcall::jobs
