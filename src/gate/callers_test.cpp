#include "gate/callers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace rollcall::gate {
namespace {

using namespace std::chrono_literals;
using directory::Standing;
using directory::StandingAsked;
using directory::StandingsRead;
using testing::ElementsAre;
using testing::HasSubstr;

// A database that says what it is told to, and a Clerk that puts users into it.
class CallersTest : public testing::Test {
protected:
    CallersTest() {
        config.wait = 10s;  // real time: nothing here depends on it
        config.webhook_wait = 30ms;
        config.webhook_look = 1ms;
    }

    Callers& callers() {
        if (made == nullptr) {
            made = std::make_unique<Callers>(
                io.get_executor(), config,
                [this](std::span<const StandingAsked> asked, bool with_age) {
                    return read({asked.begin(), asked.end()}, with_age);
                },
                can_ask ? Provisioning::Fetch([this](std::string id) { return fetch(id); })
                        : Provisioning::Fetch(),
                clock, registry);
        }
        return *made;
    }
    Task<StandingsRead> read(std::vector<StandingAsked> asked, bool with_age) {
        batches.push_back(asked.size());
        if (away) throw Unavailable("no route to the database");
        StandingsRead out;
        for (const StandingAsked& one : asked) {
            Standing standing = rows[std::string(one.clerk_id)];
            if (revoked == one.session_id) standing.revoked_for = 0.25;
            out.standings.push_back(std::move(standing));
        }
        if (with_age) out.sync_age_seconds = sync_age;
        if (slow) co_await sleep(hold);
        co_return out;
    }
    Task<bool> fetch(std::string clerk_id) {
        fetched.push_back(clerk_id);
        co_await sleep(fetch_time);
        if (clerk_away) throw Unavailable("no route to Clerk");
        if (clerk_knows) live(clerk_id);
        co_return true;
    }
    Standing& live(const std::string& clerk_id) {
        Standing& row = rows[clerk_id];
        row.user_id = "id of " + clerk_id;
        row.role = "user";
        row.listed = true;
        return row;
    }

    bool wait_until(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + 30s;
        while (!condition() && std::chrono::steady_clock::now() < end) {
            io.restart();
            io.run_one_for(5ms);
        }
        return condition();
    }
    template <class T>
    T run(Task<T> task) {
        std::optional<T> value;
        asio::co_spawn(io, std::move(task), [&](std::exception_ptr failure, T got) {
            if (failure) std::rethrow_exception(failure);
            value.emplace(std::move(got));
        });
        if (!wait_until([&] { return value.has_value(); })) throw std::runtime_error("no end");
        return *std::move(value);
    }
    Result<Caller> find(const std::string& clerk_id = "user_a",
                        const std::string& session_id = "sess_1") {
        return run(callers().find(clerk_id, session_id));
    }
    std::string verdict(const Demand& demand = {}, const std::string& clerk_id = "user_a") {
        const auto caller = find(clerk_id);
        if (!caller) return caller.error().message;
        const auto refusal = judge_standing(*caller, demand);
        return refusal ? std::string(to_string(*refusal)) : "allowed";
    }
    // All at once; how many were allowed.
    int allowed_of(int count, const std::function<std::string(int)>& clerk_id) {
        int done = 0;
        int allowed = 0;
        const auto one = [&](std::string id) -> Task<> {
            const auto caller = co_await callers().find(std::move(id), "sess_1");
            allowed += caller && !judge_standing(*caller, {}) ? 1 : 0;
            ++done;
        };
        for (int i = 0; i < count; ++i) spawn(io.get_executor(), "find", one(clerk_id(i)));
        EXPECT_TRUE(wait_until([&] { return done == count; }));
        return allowed;
    }
    void settle() { EXPECT_TRUE(run(callers().stop(10s))); }

    asio::io_context io;
    ManualClock clock{SystemTime(1'762'340'400s)};
    MetricsRegistry registry;
    CallersConfig config;
    std::map<std::string, Standing> rows;
    std::string revoked = "none";
    std::optional<double> sync_age = 3.0;
    bool away = false;
    bool slow = false;
    Duration hold = 20ms;
    Duration fetch_time = 5ms;
    bool can_ask = true;
    bool clerk_away = false;
    bool clerk_knows = true;
    std::vector<std::size_t> batches;
    std::vector<std::string> fetched;
    std::unique_ptr<Callers> made;
};

TEST_F(CallersTest, AnswersFromMemoryUntilItIsTooOld) {
    live("user_a");
    EXPECT_EQ(verdict(), "allowed");
    clock.advance(300ms);
    EXPECT_EQ(verdict(), "allowed");
    EXPECT_THAT(batches, ElementsAre(1));
    rows["user_a"].banned = true;
    clock.advance(451ms);
    EXPECT_EQ(verdict(), "user_banned");
    EXPECT_THAT(batches, ElementsAre(1, 1));
}

TEST_F(CallersTest, WhoIsKnownNeedsNoWaiting) {
    const auto known = [&] { return callers().known("user_a", "sess_1", clock.steady()); };
    EXPECT_FALSE(known());
    clerk_knows = false;
    EXPECT_EQ(verdict(), "user_unknown");
    EXPECT_FALSE(known()) << "an unknown user is for find(), which asks Clerk";
    live("user_a");
    clock.advance(751ms);
    EXPECT_FALSE(known());
    EXPECT_EQ(verdict(), "allowed");
    EXPECT_TRUE(known());
    clock.advance(750ms);
    EXPECT_TRUE(known());
    clock.advance(1ms);
    EXPECT_FALSE(known()) << "too old";
}

TEST_F(CallersTest, WhoComesOftenIsAskedForAheadOfTime) {
    live("user_a");
    EXPECT_EQ(verdict(), "allowed");
    rows["user_a"].role = "admin";
    clock.advance(400ms);
    EXPECT_EQ(find()->standing.role, "user");  // at once
    EXPECT_TRUE(wait_until([&] { return batches.size() == 2; }));
    clock.advance(400ms);
    EXPECT_EQ(find()->standing.role, "admin");
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_gate_standings_total{from=\"memory\"} 2"));
}

TEST_F(CallersTest, WhatComesWhileAStatementIsUnderWayGoesTogether) {
    slow = true;
    EXPECT_EQ(allowed_of(200,
                         [this](int i) {
                             const std::string id = "user_" + std::to_string(i % 100);
                             live(id);
                             return id;
                         }),
              200);
    EXPECT_LE(batches.size(), 3U);
}

TEST_F(CallersTest, ABatchIsBounded) {
    config.batch_max = 7;
    EXPECT_EQ(allowed_of(30,
                         [this](int i) {
                             const std::string id = "user_" + std::to_string(i);
                             live(id);
                             return id;
                         }),
              30);
    EXPECT_EQ(*std::ranges::max_element(batches), 7U);
}

TEST_F(CallersTest, ARevokedSessionIsRefusedAndTheUsersOtherOneIsNot) {
    live("user_a");
    EXPECT_EQ(verdict(), "allowed");
    revoked = "sess_1";
    clock.advance(751ms);
    EXPECT_EQ(verdict(), "session_revoked");
    EXPECT_FALSE(find("user_a", "sess_2")->standing.revoked_for);
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_revocation_propagation_seconds_count 1"));
}

TEST_F(CallersTest, FiftyFirstRequestsAreOneQuestionToClerk) {
    EXPECT_EQ(allowed_of(50, [](int) { return "user_new"; }), 50);
    EXPECT_THAT(fetched, ElementsAre("user_new"));
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_gate_provisioned_total{result=\"done\"} 1"));
}

TEST_F(CallersTest, OnlySoManyAreFetchedAtOnce) {
    config.provisioning.at_once = 2;
    config.provisioning.users_max = 10;
    fetch_time = 200ms;
    EXPECT_EQ(allowed_of(30, [](int i) { return "user_" + std::to_string(i); }), 10);
    EXPECT_EQ(fetched.size(), 10U);
    EXPECT_THAT(registry.render(),
                HasSubstr("rollcall_gate_provisioned_total{result=\"limited\"} 20"));
}

TEST_F(CallersTest, WhomClerkDoesNotKnowIsNotAskedForAgainAtOnce) {
    clerk_knows = false;
    for (int i = 0; i < 5; ++i) EXPECT_EQ(verdict(), "user_unknown");
    EXPECT_EQ(fetched.size(), 1U);
    clock.advance(5001ms);
    clerk_knows = true;
    EXPECT_EQ(verdict(), "allowed");
    EXPECT_EQ(fetched.size(), 2U);
}

TEST_F(CallersTest, ClerkAwayKnownUsersKeepWorking) {
    clerk_away = true;
    live("user_a");
    EXPECT_EQ(verdict(), "allowed");
    EXPECT_EQ(verdict({}, "user_b"), "user_unknown");
    EXPECT_EQ(verdict({}, "user_b"), "user_unknown");
    EXPECT_THAT(fetched, ElementsAre("user_b"));
    // The webhook is faster than Clerk's return.
    live("user_b");
    clock.advance(751ms);
    EXPECT_EQ(verdict({}, "user_b"), "allowed");
}

TEST_F(CallersTest, ARowThatClerkHasSaidNothingOfIsFetchedBehindTheAnswer) {
    live("user_a").listed = false;
    EXPECT_EQ(verdict(), "allowed");
    EXPECT_TRUE(wait_until([&] { return fetched.size() == 1; }));
    EXPECT_EQ(verdict({}, "user_a"), "allowed");
    EXPECT_EQ(fetched.size(), 1U);
}

TEST_F(CallersTest, TheDeletedAreNeverFetched) {
    rows["user_a"].deleted = true;
    EXPECT_EQ(verdict(), "user_deleted");
    EXPECT_TRUE(fetched.empty());
}

TEST_F(CallersTest, WithoutAKeyTheWebhookIsWaitedFor) {
    can_ask = false;
    config.webhook_wait = 10s;
    const auto webhook = [this]() -> Task<> {
        co_await sleep(10ms);
        live("user_a");
    };
    spawn(io.get_executor(), "webhook", webhook());
    EXPECT_EQ(verdict(), "allowed");
}

TEST_F(CallersTest, WithoutAKeyAndAWebhookNobodyIsKnown) {
    can_ask = false;
    EXPECT_EQ(verdict(), "user_unknown");
    const auto asked = batches.size();
    EXPECT_EQ(verdict(), "user_unknown");  // remembered: no wait
    EXPECT_EQ(batches.size(), asked);
}

TEST_F(CallersTest, WhileTheDatabaseIsAwayWhatWasKnownCountsForSoLong) {
    const Demand admin{.admin = true, .max_staleness = std::nullopt};
    live("user_a").role = "admin";
    EXPECT_EQ(verdict(admin), "allowed");
    away = true;
    clock.advance(1s);
    EXPECT_EQ(verdict(), "allowed");
    EXPECT_EQ(verdict(admin), "policy_error");
    EXPECT_FALSE(find()->confirmed);
    EXPECT_FALSE(find("user_b"));  // of whom nothing is known
    clock.advance(59s);
    EXPECT_EQ(verdict(), "allowed");
    clock.advance(1s);
    EXPECT_THAT(verdict(), HasSubstr("does not say who"));
    EXPECT_TRUE(fetched.empty());
    away = false;
    clock.advance(1s);
    EXPECT_EQ(verdict(admin), "allowed");
}

TEST_F(CallersTest, WhileTheDatabaseIsAwayItIsAskedNowAndThen) {
    live("user_a");
    EXPECT_EQ(verdict(), "allowed");
    away = true;
    clock.advance(1s);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(verdict(), "allowed");
    EXPECT_EQ(batches.size(), 2U);
    clock.advance(250ms);
    EXPECT_EQ(verdict(), "allowed");
    EXPECT_TRUE(wait_until([&] { return batches.size() == 3; }));
}

TEST_F(CallersTest, ADatabaseThatHangsIsNotWaitedForLong) {
    config.wait = 200ms;
    hold = 1s;
    live("user_a");
    EXPECT_EQ(verdict(), "allowed");
    slow = true;
    clock.advance(1s);
    const auto caller = find();
    ASSERT_TRUE(caller);
    EXPECT_FALSE(caller->confirmed);
    EXPECT_FALSE(find("user_b"));
    settle();
}

TEST_F(CallersTest, WhoWaitsIsBounded) {
    config.waiters_max = 3;
    slow = true;
    EXPECT_EQ(allowed_of(10,
                         [this](int i) {
                             const std::string id = "user_" + std::to_string(i);
                             live(id);
                             return id;
                         }),
              3);
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_gate_standings_total{from=\"none\"} 7"));
}

TEST_F(CallersTest, TheAgeOfSynchronisationGoesOnBetweenTwoQuestions) {
    const Demand demand{.admin = false, .max_staleness = 4s};
    live("user_a");
    EXPECT_EQ(verdict(demand), "allowed");
    sync_age = 10.0;
    clock.advance(751ms);
    EXPECT_EQ(verdict(demand), "sync_stale");
    sync_age = 3.5;
    clock.advance(751ms);
    EXPECT_EQ(verdict(demand), "allowed");
    away = true;
    clock.advance(1s);
    EXPECT_EQ(verdict(demand), "sync_stale");
    EXPECT_EQ(verdict(), "allowed");
}

TEST_F(CallersTest, WhoIsUnusedLongestGoesFirst) {
    config.entries_max = 2;
    for (const char* id : {"user_a", "user_b"}) live(id);
    for (const char* id : {"user_a", "user_b", "user_a"}) EXPECT_TRUE(find(id));
    EXPECT_TRUE(find("user_a", "sess_2"));  // user_b goes
    EXPECT_TRUE(find("user_a"));
    EXPECT_EQ(batches.size(), 3U);
    EXPECT_TRUE(find("user_b"));
    EXPECT_EQ(batches.size(), 4U);
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_gate_standing_cache_evictions_total 2"));
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_gate_standing_cache_entries 2"));
}

TEST_F(CallersTest, StopsAndAnswersFromMemoryThen) {
    live("user_a");
    EXPECT_EQ(verdict(), "allowed");
    settle();
    settle();
    EXPECT_EQ(verdict(), "allowed");
    EXPECT_FALSE(find("user_b"));
    EXPECT_TRUE(fetched.empty());
}

}  // namespace
}  // namespace rollcall::gate
