// Over a loopback socket: quota, repeats, circuit and limits of the way to Clerk.
#include "clerk/api_channel.hpp"

#include "base/log.hpp"
#include "base/timeout.hpp"
#include "clerk/api_test.hpp"

#include <gmock/gmock.h>
#include <algorithm>
#include <ranges>

namespace rollcall::clerk {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using State = http::Breaker::State;

constexpr const char* internal_error =
    R"({"errors":[{"code":"internal_clerk_error"}],"clerk_trace_id":"cafe"})";

class ApiChannelTest : public ApiTest {
protected:
    // `count` pages asked for at once; how many came.
    int list_at_once(int count, Patience patience = prompt) {
        HttpBackendApi caller(channel(), patience);
        int done = 0;
        int good = 0;
        for (int i = 0; i < count; ++i) {
            asio::co_spawn(io_, caller.list_users({}),
                           [&](const std::exception_ptr& thrown, const auto& page) {
                               ++done;
                               good += !thrown && page ? 1 : 0;
                           });
        }
        run_until([&] { return done == count; });
        return good;
    }
    Result<std::vector<User>> list(Patience patience = prompt) {
        HttpBackendApi caller(channel(), patience);
        return wait(caller.list_users({}));
    }
    // How many list_users ended with `code`.
    [[nodiscard]] bool listed(const std::string& code, int times) const {
        return has_metric(R"(rollcall_upstream_requests_total{code=")" + code +
                          R"(",operation="list_users",upstream="clerk"} )" + std::to_string(times));
    }
    [[nodiscard]] std::chrono::milliseconds between(std::size_t first, std::size_t second) const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(asked_at.at(second) -
                                                                     asked_at.at(first));
    }
};

TEST(QuotaOf, ComesFromTheKindOfKeyTimesTheShare) {
    const auto in_ten_seconds = [](const char* key, int limit, double share) {
        const auto quota =
            quota_of({.secret_key = Secret(key), .rate_limit = limit, .rate_share = share});
        return quota.per_second * 10 + quota.burst - 1;
    };
    EXPECT_DOUBLE_EQ(in_ten_seconds("sk_live_a", 0, 1), 1000);
    EXPECT_DOUBLE_EQ(in_ten_seconds("sk_test_a", 0, 1), 100);
    EXPECT_DOUBLE_EQ(in_ten_seconds("sk_live_a", 0, 0.5), 500);
    EXPECT_DOUBLE_EQ(in_ten_seconds("sk_test_a", 0, 0.255), 25);
    EXPECT_DOUBLE_EQ(in_ten_seconds("sk_live_a", 40, 0.5), 20);
    EXPECT_DOUBLE_EQ(in_ten_seconds("sk_test_a", 0, 0.001), 1);
}

TEST_F(ApiChannelTest, SeveralRequestsAreInFlight) {
    delay = 100ms;
    EXPECT_EQ(list_at_once(8), 8);
    EXPECT_EQ(under_way_max, 8);
}

TEST_F(ApiChannelTest, NoMoreThanTheMost) {
    config.connections_max = 3;
    delay = 30ms;
    EXPECT_EQ(list_at_once(9), 9);
    EXPECT_EQ(under_way_max, 3);
}

TEST_F(ApiChannelTest, TheQuotaSpreadsRequestsOut) {
    config.rate_limit = 200;
    config.rate_share = 0.5;  // 10 at once, then one in 110 ms
    EXPECT_EQ(list_at_once(20), 20);
    EXPECT_LT(between(0, 9), 60ms);
    EXPECT_GE(between(9, 19), 1000ms);
}

// A pass asks for one page after the other; jobs, of the mirror too, ask for single users
// meanwhile.
TEST_F(ApiChannelTest, OneAmongManyWhoAskHasTheirShareOfTheTurns) {
    config.rate_limit = 1'000;
    config.rate_share = 1;  // 100 at once, then one in 11 ms
    constexpr int crowd = 8;
    constexpr std::size_t at_once = 100;
    constexpr std::size_t looked_at = 90;
    bool over = false;
    int ended = 0;
    const auto go_on = [&](bool is_pass) -> Task<> {
        HttpBackendApi caller(channel(), is_pass ? for_a_pass : prompt);
        while (!over && is_pass) co_await caller.list_users({});
        while (!over) co_await caller.get_user("user_a");
    };
    for (int i = 0; i <= crowd; ++i) {
        asio::co_spawn(io_, go_on(i == crowd), [&](const std::exception_ptr&) { ++ended; });
    }
    run_until([&] { return asked.size() >= at_once + looked_at; });
    const auto pages = std::ranges::count_if(
        asked | std::views::drop(at_once), [](const auto& one) { return one.path == "/v1/users"; });
    EXPECT_GE(pages, static_cast<std::ptrdiff_t>(looked_at / (crowd + 1) / 2));
    over = true;
    run_until([&] { return ended == crowd + 1; });
}

TEST_F(ApiChannelTest, WhatIsLeftOfTheQuotaIsAMetric) {
    config.rate_limit = 30;
    config.rate_share = 1;  // three at once, and one more in 360 ms
    const std::string name = R"(rollcall_upstream_rate_limit_remaining{upstream="clerk"} )";
    const auto left = [&] {
        const std::string page = metrics.render();
        return std::stod(page.substr(page.find(name) + name.size()));
    };
    channel();
    EXPECT_EQ(left(), 3);
    EXPECT_EQ(list_at_once(2), 2);
    EXPECT_LT(left(), 3);
    EXPECT_GE(left(), 1) << "what comes back shows as well";
    next.push_back(limited(30));
    EXPECT_FALSE(list());
    EXPECT_EQ(left(), 0);
}

TEST_F(ApiChannelTest, ACallTooLateForItsPatienceIsRefusedAtOnce) {
    config.rate_limit = 1;
    config.rate_share = 1;
    EXPECT_TRUE(list());
    const auto page = list();
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, ErrorCode::rate_limited);
    EXPECT_EQ(asked.size(), 1U);
}

// fault 23
TEST_F(ApiChannelTest, RetryAfterHoldsAllRequests) {
    const log::Capture log;
    next.push_back(limited(1));
    bool told = false;
    bool other = false;
    asio::co_spawn(io_, api().list_users({}),
                   [&](const std::exception_ptr&, const auto& page) { told = page.has_value(); });
    run_until([&] { return log.text().contains("clerk_says_wait"); });
    asio::co_spawn(io_, api().count_users({}),
                   [&](const std::exception_ptr&, const auto&) { other = true; });
    run_until([&] { return told && other; });
    ASSERT_EQ(asked.size(), 3U);
    EXPECT_GE(between(0, 1), 1s);
    EXPECT_GE(between(0, 2), 1s) << "the one that was not told, too";
    EXPECT_TRUE(
        has_metric(R"(rollcall_upstream_retries_total{reason="rate_limited",upstream="clerk"} 1)"));
}

TEST_F(ApiChannelTest, ARetryAfterBeyondTheCallersPatienceIsSaidAtOnce) {
    next.push_back(limited(30));
    const auto page = list();
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, ErrorCode::rate_limited);
    EXPECT_THAT(page.error().message, HasSubstr("retry after 30 s"));
    EXPECT_EQ(list().error().code, ErrorCode::rate_limited) << "the next one is not even sent";
    EXPECT_EQ(asked.size(), 1U);
    EXPECT_EQ(channel().circuit(), State::closed) << "Clerk is well";
}

TEST_F(ApiChannelTest, FaultsAreRepeatedAndCounted) {
    next.push_back(http::Response::json(500, internal_error));
    next.push_back(http::Response::text(502, "<html></html>"));
    EXPECT_TRUE(wait(api().list_users({})));
    EXPECT_EQ(asked.size(), 3U);
    EXPECT_EQ(api().requests(), 3);
    EXPECT_TRUE(listed("500", 1));
    EXPECT_TRUE(listed("200", 1));
    EXPECT_TRUE(
        has_metric(R"(rollcall_upstream_retries_total{reason="server_error",upstream="clerk"} 2)"));
}

TEST_F(ApiChannelTest, AFaultThatLastsIsGivenUpWithClerksWords) {
    says(500, internal_error);
    const auto page = list();
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, ErrorCode::unavailable);
    EXPECT_THAT(page.error().message,
                HasSubstr("500 (internal_clerk_error, trace cafe) (attempt 3)"));
    EXPECT_EQ(asked.size(), 3U);
}

TEST_F(ApiChannelTest, OtherRefusalsAreNotRepeated) {
    for (const unsigned status : {400U, 401U, 403U, 404U, 422U, 302U}) {
        asked.clear();
        says(status, internal_error);
        EXPECT_FALSE(list()) << status;
        EXPECT_EQ(asked.size(), 1U) << status;
    }
    EXPECT_EQ(channel().circuit(), State::closed);
}

TEST_F(ApiChannelTest, ATimeoutIsRepeatedByThePatient) {
    config.timeout = 50ms;
    delay = 1s;
    const auto page = list({.total = 10s, .attempts_max = 2});
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, ErrorCode::unavailable);
    EXPECT_THAT(page.error().message, HasSubstr("timeout: no response within 50 ms"));
    EXPECT_EQ(asked.size(), 2U);
    EXPECT_TRUE(listed("none", 2));
    asked.clear();
    EXPECT_FALSE(list()) << "the timeout is all that a prompt call has";
    EXPECT_EQ(asked.size(), 1U);
    run_until([&] { return under_way == 0; });
}

TEST_F(ApiChannelTest, TheCircuitOpensIsProbedOnceAndCloses) {
    const log::Capture log;
    says(503, "");
    const Patience once{.attempts_max = 1};
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(list(once));
    EXPECT_EQ(channel().circuit(), State::open);
    EXPECT_THAT(std::string(log.text()), HasSubstr("circuit_open"));
    EXPECT_TRUE(has_metric(R"(rollcall_circuit_state{upstream="clerk"} 2)"));
    const auto refused = list(once);
    EXPECT_THAT(refused.error().message, HasSubstr("circuit open"));
    EXPECT_EQ(asked.size(), 5U) << "an open circuit sends nothing";

    says(200, "[]");
    delay = 100ms;
    const Patience patient{.total = 20s, .attempts_max = 100, .outlasts_circuit = true};
    EXPECT_EQ(list_at_once(6, patient), 6);
    EXPECT_EQ(channel().circuit(), State::closed);
    EXPECT_GE(between(5, 6), 90ms) << "one probe before all others";
    EXPECT_GE(between(4, 5), 1900ms);
    EXPECT_TRUE(has_metric(R"(rollcall_circuit_state{upstream="clerk"} 0)"));
    EXPECT_TRUE(
        has_metric(R"(rollcall_circuit_transitions_total{to="half_open",upstream="clerk"} 1)"));
}

TEST_F(ApiChannelTest, NobodyThereIsUnavailable) {
    config.url = "http://127.0.0.1:1";
    const auto page = list();
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, ErrorCode::unavailable);
    EXPECT_THAT(page.error().message, HasSubstr("http://127.0.0.1:1: connect"));
}

TEST_F(ApiChannelTest, ACancelledCallLeavesTheLine) {
    config.rate_limit = 10;
    config.rate_share = 1;  // one at once, then one a second
    EXPECT_TRUE(list());
    const auto cut = wait(with_timeout(api().list_users({}), 100ms));
    EXPECT_FALSE(cut);
    EXPECT_TRUE(list()) << "its place went to the next";
    EXPECT_EQ(asked.size(), 2U);
    EXPECT_LT(between(0, 1), 1500ms);
}

TEST_F(ApiChannelTest, ACancelledRequestIsNoFaultOfClerks) {
    delay = 300ms;
    for (int i = 0; i < 6; ++i) {
        EXPECT_FALSE(wait(with_timeout(api().list_users({}), 20ms)));
    }
    EXPECT_EQ(channel().circuit(), State::closed);
    EXPECT_TRUE(list());
}

TEST_F(ApiChannelTest, EveryNameIsThereFromTheStart) {
    (void)channel();
    const std::string page = metrics.render();
    for (const char* name :
         {"rollcall_upstream_requests_total", "rollcall_upstream_request_duration_seconds",
          "rollcall_upstream_retries_total", "rollcall_circuit_state",
          "rollcall_circuit_transitions_total"}) {
        EXPECT_THAT(page, HasSubstr("# TYPE " + std::string(name)));
    }
    EXPECT_TRUE(has_metric(R"(rollcall_circuit_state{upstream="clerk"} 0)"));
}

}  // namespace
}  // namespace rollcall::clerk
