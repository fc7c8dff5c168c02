#include "sim/clerk_messages.hpp"

#include <gtest/gtest.h>

namespace rollcall::sim {
namespace {

using namespace std::chrono_literals;

class MessageLogTest : public testing::Test {
protected:
    const Message* add(const std::string& id, const SendPlan& plan = {}) {
        Message message;
        message.id = id;
        message.body = "{}";
        message.created_at = created_at_++;
        return log_.add(std::move(message), plan, now_);
    }

    // The message sent next at the present time; "" when nothing is due.
    std::string send(unsigned status, Outcome outcome = {}) {
        const auto due = log_.take_due(now_);
        if (!due) return "";
        const auto* message = log_.find(due->message);
        const auto id = message == nullptr ? "gone" : message->id;
        outcome.attempt.status = status;
        outcome.attempt.trigger = due->trigger;
        log_.finish(*due, outcome, now_);
        return id;
    }

    [[nodiscard]] MessageStatus status(const std::string& id) const {
        return log_.find(std::string_view(id))->status();
    }

    MessageLog log_{4, 1};
    SteadyTime now_{1000h};
    std::int64_t created_at_ = 0;
};

TEST_F(MessageLogTest, SendsInOrderAndOnce) {
    add("a");
    add("b");
    EXPECT_EQ(status("a"), MessageStatus::pending);
    EXPECT_EQ(send(200), "a");
    EXPECT_EQ(send(204), "b");
    EXPECT_EQ(send(200), "");
    EXPECT_EQ(status("b"), MessageStatus::delivered);
    EXPECT_FALSE(log_.next_due());
}

TEST_F(MessageLogTest, SendsMessagesAboutOneSubjectOneAfterTheOther) {
    const auto about = [&](const std::string& id, const std::string& subject) {
        Message message;
        message.id = id;
        message.subject = subject;
        log_.add(std::move(message), {.duplicated = id == "c"}, now_);
    };
    about("a", "user_1");
    about("b", "user_1");
    about("c", "user_2");
    const auto first = log_.take_due(now_);
    const auto second = log_.take_due(now_);
    const auto third = log_.take_due(now_);
    ASSERT_TRUE(first && second && third);
    EXPECT_EQ(log_.find(first->message)->id, "a");
    EXPECT_EQ(log_.find(second->message)->id, "c");
    EXPECT_EQ(third->trigger, Trigger::duplicate) << "beside its original";
    EXPECT_FALSE(log_.take_due(now_));
    EXPECT_FALSE(log_.next_due());
    log_.finish(*first, {}, now_);
    const auto fourth = log_.take_due(now_);
    ASSERT_TRUE(fourth);
    EXPECT_EQ(log_.find(fourth->message)->id, "b") << "though a is still to be retried";
}

TEST_F(MessageLogTest, RetriesOnSvixsScheduleAndThenGivesUp) {
    add("a");
    for (const auto delay : retry_schedule) {
        if (delay > 0s) {
            now_ += delay - 1s;
            EXPECT_EQ(send(500), "") << "too early";
            now_ += 1s;
        }
        EXPECT_EQ(status("a"), MessageStatus::pending);
        EXPECT_EQ(send(500), "a");
    }
    EXPECT_EQ(status("a"), MessageStatus::failed);
    EXPECT_EQ(log_.find("a")->attempts.size(), 8U);
    EXPECT_FALSE(log_.next_due());
    EXPECT_GT(now_ - SteadyTime(1000h), 27h + 30min);
}

TEST_F(MessageLogTest, CountsOnly2xxAsDelivered) {
    for (const auto answer : {0U, 199U, 301U, 304U, 400U, 503U}) {
        add("m" + std::to_string(answer));
        EXPECT_NE(send(answer), "");
        EXPECT_EQ(status("m" + std::to_string(answer)), MessageStatus::pending);
        log_.clear();
    }
}

TEST_F(MessageLogTest, StopsWhenTheReceiverAsks) {
    add("a");
    Outcome outcome;
    outcome.abort = true;
    EXPECT_EQ(send(500, outcome), "a");
    EXPECT_EQ(status("a"), MessageStatus::failed);
}

TEST_F(MessageLogTest, SendsADuplicateOnceWithoutRetries) {
    add("a", {.dropped = false, .duplicated = true});
    EXPECT_EQ(send(200), "a");
    EXPECT_EQ(send(500), "a");
    EXPECT_EQ(send(200), "");
    EXPECT_EQ(status("a"), MessageStatus::delivered);
    EXPECT_EQ(log_.find("a")->attempts.at(1).trigger, Trigger::duplicate);
}

TEST_F(MessageLogTest, HoldsAMessageUntilALaterOneWasSent) {
    add("a", {.delay = 60s, .held = true});
    EXPECT_EQ(send(200), "");
    add("b");
    EXPECT_EQ(send(200), "b");
    EXPECT_EQ(send(200), "a");
}

TEST_F(MessageLogTest, HoldsAMessageNoLongerThanItsDelay) {
    add("a", {.delay = 60s, .held = true});
    now_ += 60s;
    EXPECT_EQ(send(200), "a");
}

TEST_F(MessageLogTest, KeepsADroppedMessageForReplay) {
    add("a", {.dropped = true});
    add("b");
    EXPECT_EQ(send(200), "b");
    EXPECT_EQ(send(200), "");
    EXPECT_EQ(status("a"), MessageStatus::missing);
    EXPECT_EQ(log_.replay(MessageStatus::missing, 1, now_), 0U) << "made before";
    EXPECT_EQ(log_.replay(MessageStatus::missing, 0, now_), 1U);
    EXPECT_EQ(send(200), "a");
    EXPECT_EQ(status("a"), MessageStatus::delivered);
}

TEST_F(MessageLogTest, ResendsOutsideTheScheduleAndEndsItOnSuccess) {
    add("a");
    EXPECT_EQ(send(500), "a");
    EXPECT_TRUE(log_.resend("a", now_));
    EXPECT_EQ(send(200), "a");
    EXPECT_EQ(status("a"), MessageStatus::delivered);
    EXPECT_FALSE(log_.next_due()) << "the retry is not needed any more";
    EXPECT_TRUE(log_.resend("a", now_)) << "also what was delivered";
    EXPECT_EQ(send(500), "a");
    EXPECT_EQ(status("a"), MessageStatus::delivered);
    EXPECT_FALSE(log_.next_due());
    EXPECT_FALSE(log_.resend("nothing", now_));
}

TEST_F(MessageLogTest, ForgetsTheOldestFinishedFirstAndLosesWhatFindsNoRoom) {
    for (const auto* id : {"a", "b", "c", "d"}) add(id);
    EXPECT_EQ(add("e"), nullptr);
    EXPECT_EQ(log_.lost(), 1U);
    EXPECT_EQ(send(500), "a");
    EXPECT_EQ(send(200), "b");
    EXPECT_NE(add("f"), nullptr);
    EXPECT_NE(log_.find("a"), nullptr) << "still to be retried";
    EXPECT_EQ(log_.find("b"), nullptr);
    EXPECT_EQ(log_.all().size(), 4U);
}

TEST_F(MessageLogTest, IgnoresAnAttemptThatEndsAfterAClear) {
    add("a");
    const auto due = log_.take_due(now_);
    ASSERT_TRUE(due);
    log_.clear();
    log_.finish(*due, {}, now_);
    EXPECT_TRUE(log_.all().empty());
}

TEST_F(MessageLogTest, KeepsABoundedNumberOfAttempts) {
    add("a");
    EXPECT_EQ(send(200), "a");
    for (std::size_t i = 0; i < MessageLog::attempts_max + 5; ++i) {
        ASSERT_TRUE(log_.resend("a", now_));
        EXPECT_EQ(send(200), "a");
    }
    EXPECT_EQ(log_.find("a")->attempts.size(), MessageLog::attempts_max);
}

Outcome failed(unsigned status) {
    Outcome outcome;
    outcome.attempt.status = status;
    return outcome;
}

TEST(RetryDelay, HonoursRetryAfterBetweenOnceAndTwiceTheSchedule) {
    auto outcome = failed(503);
    EXPECT_EQ(retry_delay(1, outcome, 1), 5s);
    outcome.retry_after = 7s;
    EXPECT_EQ(retry_delay(1, outcome, 1), 7s);
    outcome.retry_after = 1s;
    EXPECT_EQ(retry_delay(1, outcome, 1), 5s);
    outcome.retry_after = 3600s;
    EXPECT_EQ(retry_delay(1, outcome, 1), 10s);
}

TEST(RetryDelay, IsAMinuteAtLeastAfterATimeOutOr429) {
    EXPECT_EQ(retry_delay(1, failed(429), 1), 60s);
    EXPECT_EQ(retry_delay(2, failed(429), 1), 5min);
    auto timed_out = failed(0);
    timed_out.timed_out = true;
    EXPECT_EQ(retry_delay(1, timed_out, 1), 60s);
}

TEST(RetryDelay, IsDividedBySpeedAndEndsAfterTheEighthAttempt) {
    EXPECT_EQ(retry_delay(1, failed(500), 1000), 5ms);
    EXPECT_EQ(retry_delay(7, failed(500), 3600), 10s);
    EXPECT_FALSE(retry_delay(8, failed(500), 1));
}

}  // namespace
}  // namespace rollcall::sim
