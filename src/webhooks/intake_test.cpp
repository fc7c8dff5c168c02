#include "webhooks/intake.hpp"

#include "base/wakeup.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>

namespace rollcall::webhooks {
namespace {

using namespace std::chrono_literals;

// A store that answers when it is told to, and remembers what it was given.
class FakeStore {
public:
    explicit FakeStore(asio::io_context& loop) : executor_(loop.get_executor()) {}

    bool open = true;                               // false: a batch waits for let_one_through()
    bool down = false;                              // throws Unavailable
    std::string poison;                             // a payload that makes the call invalid_input
    std::string refused;                            // an event that makes it internal
    std::vector<std::vector<std::string>> batches;  // event ids
    std::size_t running = 0;
    std::size_t running_max = 0;

    void let_one_through() {
        if (!closed_.empty()) closed_.front()->wake();
    }
    void open_up() {
        open = true;
        for (const auto& gate : closed_) gate->wake();
    }

    Task<Result<std::vector<jobs::Enqueued>>> enqueue(std::span<const jobs::NewJob> jobs) {
        std::vector<std::string> ids;
        for (const auto& job : jobs) ids.emplace_back(*job.event_id);
        batches.push_back(ids);
        running_max = std::max(running_max, ++running);
        if (!open) {
            closed_.push_back(std::make_unique<Wakeup>(executor_));
            co_await closed_.back()->wait(10s);
            closed_.pop_front();
        }
        --running;
        if (down) throw Unavailable("the database is away");
        for (const auto& job : jobs) {
            if (!poison.empty() && job.payload == poison) {
                co_return fail(ErrorCode::invalid_input, "refused");
            }
            if (!refused.empty() && job.event_id == refused) {
                co_return fail(ErrorCode::internal, "refused by a trigger");
            }
        }
        std::vector<jobs::Enqueued> answers;
        for (const auto& job : jobs) {
            const auto [at, fresh] = known_.try_emplace(std::string(*job.event_id),
                                                        "job of " + std::string(*job.event_id));
            answers.push_back({.id = at->second, .duplicate = !fresh});
            if (fresh) errors[std::string(*job.event_id)] = std::string(job.error.value_or(""));
        }
        co_return answers;
    }

    std::map<std::string, std::string> errors;  // of the stored ones

private:
    Executor executor_;
    std::deque<std::unique_ptr<Wakeup>> closed_;  // calls that wait, the oldest first
    std::map<std::string, std::string> known_;
};

class IntakeTest : public testing::Test {
protected:
    // Starts storing an event; its answer stands in `answers` once it is there.
    void store(const std::string& id, const std::string& payload = "{}") {
        EventJob job;
        job.event_id = id;
        job.payload = payload;
        job.original_event = "{}";
        asio::co_spawn(loop_, intake().store(std::move(job)),
                       [this, id](const std::exception_ptr& failure, Result<Stored> stored) {
                           if (failure) {
                               answers_[id] = "thrown";
                           } else if (!stored) {
                               answers_[id] = std::string(to_string(stored.error().code));
                           } else {
                               answers_[id] = stored->job_id;
                               if (stored->duplicate) answers_[id] += ", duplicate";
                               if (stored->for_review) answers_[id] += ", for review";
                           }
                       });
    }
    void settle() {
        loop_.restart();
        loop_.poll();
    }
    // Runs until nothing is left to wait for.
    void run() {
        loop_.restart();
        loop_.run();
    }
    Intake& intake() {
        if (!intake_) {
            intake_ = std::make_unique<Intake>(
                loop_.get_executor(), config_,
                [this](std::span<const jobs::NewJob> jobs) { return store_.enqueue(jobs); },
                metrics_);
        }
        return *intake_;
    }

    asio::io_context loop_;
    MetricsRegistry metrics_;
    WebhookConfig config_;
    FakeStore store_{loop_};
    std::map<std::string, std::string> answers_;
    std::unique_ptr<Intake> intake_;
};

TEST_F(IntakeTest, StoresOne) {
    store("a");
    run();
    EXPECT_EQ(answers_["a"], "job of a");
    EXPECT_EQ(store_.batches.size(), 1U);
}

TEST_F(IntakeTest, WhatComesWhileTheLanesAreBusyGoesTogether) {
    config_.lanes = 2;
    store_.open = false;
    store("a");
    settle();
    store("b");
    settle();
    for (int i = 0; i < 5; ++i) store("c" + std::to_string(i));
    settle();
    EXPECT_EQ(store_.batches.size(), 2U);  // a and b, the rest waits
    EXPECT_TRUE(answers_.empty());
    store_.let_one_through();
    settle();
    ASSERT_EQ(store_.batches.size(), 3U);
    EXPECT_EQ(store_.batches[2].size(), 5U);
    EXPECT_EQ(answers_.size(), 1U);  // answered after its own commit, no earlier
    store_.open_up();
    run();
    EXPECT_EQ(answers_.size(), 7U);
    EXPECT_EQ(store_.running_max, 2U);
}

TEST_F(IntakeTest, RequestsOfOneTurnOfTheLoopGoTogether) {
    for (int i = 0; i < 10; ++i) store("e" + std::to_string(i));
    run();
    EXPECT_EQ(store_.batches.size(), 1U);
    EXPECT_EQ(answers_.size(), 10U);
}

// So that the lanes work at once and not in turn.
TEST_F(IntakeTest, LanesShareWhatIsThere) {
    config_.lanes = 2;
    store_.open = false;
    for (int i = 0; i < 60; ++i) store("e" + std::to_string(i));
    settle();
    ASSERT_EQ(store_.batches.size(), 2U);
    EXPECT_EQ(store_.batches[0].size(), 30U);
    EXPECT_EQ(store_.batches[1].size(), 30U);
    for (int i = 0; i < 50; ++i) store("f" + std::to_string(i));
    store_.let_one_through();
    settle();
    ASSERT_EQ(store_.batches.size(), 3U);
    EXPECT_EQ(store_.batches[2].size(), 40U);  // of the 80 that are not stored
    store_.open_up();
    run();
    EXPECT_EQ(answers_.size(), 110U);
}

TEST_F(IntakeTest, BatchesAndLanesAreBounded) {
    config_.batch_max = 4;
    config_.lanes = 1;
    store_.open = false;
    for (int i = 0; i < 10; ++i) store("e" + std::to_string(i));
    settle();
    EXPECT_EQ(store_.batches.size(), 1U);
    store_.open_up();
    run();
    ASSERT_EQ(store_.batches.size(), 3U);
    EXPECT_EQ(store_.batches[0].size(), 4U);
    EXPECT_EQ(store_.batches[2].size(), 2U);
    EXPECT_EQ(answers_.size(), 10U);
    EXPECT_EQ(store_.running_max, 1U);
}

TEST_F(IntakeTest, WhatWaitsIsBounded) {
    config_.lanes = 1;
    config_.waiting_max = 3;
    store_.open = false;
    store("first");
    settle();
    for (int i = 0; i < 5; ++i) store("e" + std::to_string(i));
    settle();
    EXPECT_EQ(answers_["e3"], "unavailable");
    EXPECT_EQ(answers_["e4"], "unavailable");
    EXPECT_EQ(answers_.size(), 2U);
    store_.open_up();
    run();
    EXPECT_EQ(answers_["e2"], "job of e2");
}

TEST_F(IntakeTest, AnswersInTimeWhenTheStoreHangs) {
    config_.answer_timeout = 30ms;
    config_.lanes = 1;
    store_.open = false;
    store("a");
    settle();
    store("b");
    loop_.restart();
    loop_.run_for(500ms);
    EXPECT_EQ(answers_["a"], "unavailable");
    EXPECT_EQ(answers_["b"], "unavailable");
    // What nobody waits for any more is not stored when the store comes back.
    store_.open_up();
    run();
    EXPECT_EQ(store_.batches.size(), 1U);
    store("c");
    run();
    EXPECT_EQ(answers_["c"], "job of c");
    EXPECT_EQ(store_.batches.size(), 2U);
}

TEST_F(IntakeTest, AStoreThatIsAwayIsToldToAllAndComesBack) {
    store_.down = true;
    for (int i = 0; i < 3; ++i) store("e" + std::to_string(i));
    run();
    EXPECT_EQ(answers_["e0"], "thrown");
    EXPECT_EQ(answers_["e2"], "thrown");
    store_.down = false;
    store("e0");
    run();
    EXPECT_EQ(answers_["e0"], "job of e0");
}

TEST_F(IntakeTest, OneBadEventDoesNotHurtItsNeighbours) {
    store_.poison = R"({"name":"bad"})";
    for (int i = 0; i < 9; ++i) store("e" + std::to_string(i), i == 6 ? store_.poison : "{}");
    run();
    for (int i = 0; i < 9; ++i) {
        const std::string id = "e" + std::to_string(i);
        EXPECT_EQ(answers_[id], "job of " + id + (i == 6 ? ", for review" : ""));
        EXPECT_EQ(store_.errors[id],
                  i == 6 ? "Unusable event: the database refuses its values" : "");
    }
}

TEST_F(IntakeTest, ABatchOfBadEventsIsKeptWhole) {
    store_.poison = R"({"name":"bad"})";
    for (int i = 0; i < 4; ++i) store("e" + std::to_string(i), store_.poison);
    run();
    for (int i = 0; i < 4; ++i) {
        const std::string id = "e" + std::to_string(i);
        EXPECT_EQ(answers_[id], "job of " + id + ", for review");
    }
}

TEST_F(IntakeTest, WhatIsRefusedInEveryFormIsToldToItsSenderAlone) {
    config_.lanes = 1;
    store_.refused = "e40";
    for (int i = 0; i < 64; ++i) store("e" + std::to_string(i));
    run();
    EXPECT_EQ(store_.batches.front().size(), 64U);
    for (int i = 0; i < 64; ++i) {
        const std::string id = "e" + std::to_string(i);
        EXPECT_EQ(answers_[id], i == 40 ? "internal" : "job of " + id);
    }
}

TEST_F(IntakeTest, WhatEvenTheReviewCannotHoldIsNotTheStoresAbsence) {
    store_.poison = R"({"clerk_id":null,"created_at":"1970-01-01T00:00:00.000Z","retry_count":0})";
    store("a", store_.poison);
    run();
    EXPECT_EQ(answers_["a"], "invalid_input");
}

TEST_F(IntakeTest, TellsADuplicate) {
    store("a");
    run();
    store("a");
    run();
    EXPECT_EQ(answers_["a"], "job of a, duplicate");
}

TEST_F(IntakeTest, StopsAfterWhatIsUnderWay) {
    store_.open = false;
    store("a");
    settle();
    bool stopped = false;
    asio::co_spawn(loop_, intake().stop(), [&](const std::exception_ptr&) { stopped = true; });
    settle();
    EXPECT_FALSE(stopped);
    store("late");
    settle();
    EXPECT_EQ(answers_["late"], "unavailable");
    store_.open_up();
    run();
    EXPECT_TRUE(stopped);
    EXPECT_EQ(answers_["a"], "job of a");
}

}  // namespace
}  // namespace rollcall::webhooks
