#include "http/upstream.hpp"

#include "base/timeout.hpp"
#include "http/loopback_test.hpp"

#include <gmock/gmock.h>

namespace rollcall::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using State = Breaker::State;

class UpstreamTest : public LoopbackTest {
public:
    UpstreamTest() {
        router_.add({"GET"}, "/", [this](Request&) -> Task<Response> {
            ++asked_;
            if (delay_ > 0ms) co_await sleep(delay_);
            co_return Response::text(status_, "");
        });
        start();
    }

    Attempt attempt() {
        return run(upstream_.send(
            "get", {.url = "http://127.0.0.1:" + std::to_string(server_->port()), .timeout = 1s}));
    }
    [[nodiscard]] bool shows(const std::string& line) const {
        return ("\n" + registry_.render()).contains("\n" + line + "\n");
    }

    unsigned status_ = 200;
    std::chrono::milliseconds delay_{0};
    int asked_ = 0;
    Client client_{io_.get_executor()};
    Upstream upstream_{client_,
                       {.name = "it",
                        .operations = {"get"},
                        .breaker = {.failures_max = 2, .open_min = 200ms, .open_max = 1s}},
                       registry_};
};

TEST_F(UpstreamTest, AnAnswerIsAnAnswer) {
    for (const unsigned status : {200U, 404U, 429U}) {
        status_ = status;
        const Attempt one = attempt();
        ASSERT_TRUE(one.response);
        EXPECT_EQ(one.response->status, status);
        EXPECT_TRUE(shows(R"(rollcall_upstream_requests_total{code=")" + std::to_string(status) +
                          R"(",operation="get",upstream="it"} 1)"));
    }
    EXPECT_EQ(upstream_.circuit(), State::closed);
    EXPECT_TRUE(shows(R"(rollcall_upstream_request_duration_seconds_count)"
                      R"({operation="get",upstream="it"} 3)"));
}

TEST_F(UpstreamTest, SaysSinceWhenAndHowOftenItFailed) {
    const auto look = [this] { return upstream_.look(real_clock().steady()); };
    EXPECT_EQ(look().state, State::closed);
    EXPECT_FALSE(look().since);
    status_ = 503;
    attempt();
    EXPECT_EQ(look().failures, 1);
    EXPECT_FALSE(look().since);
    const SteadyTime before = real_clock().steady();
    attempt();
    EXPECT_EQ(look().state, State::open);
    EXPECT_TRUE(look().since);
    EXPECT_EQ(look().failures, 2);
    EXPECT_GE(upstream_.look(before).next_probe, 200ms);
    run(sleep(look().next_probe));
    attempt();  // the probe
    EXPECT_EQ(look().failures, 3);
    status_ = 200;
    run(sleep(look().next_probe));
    attempt();
    EXPECT_EQ(look().state, State::closed);
    EXPECT_EQ(look().failures, 0);
    EXPECT_TRUE(look().since);
}

TEST_F(UpstreamTest, FaultsOpenTheCircuitAndNothingIsSentThen) {
    const log::Capture log;
    status_ = 502;
    EXPECT_TRUE(attempt().response);
    EXPECT_TRUE(attempt().response);
    const Attempt refused = attempt();
    EXPECT_FALSE(refused.sent);
    EXPECT_FALSE(refused.response);
    EXPECT_THAT(refused.failure, HasSubstr("it: circuit open"));
    EXPECT_GT(refused.wait, 0ms);
    EXPECT_LE(refused.wait, 200ms);
    EXPECT_EQ(asked_, 2);
    EXPECT_THAT(std::string(log.text()), HasSubstr(R"("reason":"status 502")"));
    EXPECT_TRUE(shows(R"(rollcall_circuit_state{upstream="it"} 2)"));

    status_ = 200;
    run(sleep(refused.wait));
    EXPECT_TRUE(attempt().response);
    EXPECT_EQ(upstream_.circuit(), State::closed);
    EXPECT_THAT(std::string(log.text()), HasSubstr("circuit_closed"));
    EXPECT_TRUE(shows(R"(rollcall_circuit_transitions_total{to="closed",upstream="it"} 1)"));
}

TEST_F(UpstreamTest, RoomIsForAllForTheProbeOrForNobody) {
    EXPECT_EQ(upstream_.room(8, real_clock().steady()), 8);
    status_ = 500;
    attempt();
    attempt();
    const SteadyTime opened = real_clock().steady();
    EXPECT_EQ(upstream_.room(8, opened), 0);
    EXPECT_EQ(upstream_.room(8, opened + 1s), 1);
    EXPECT_EQ(upstream_.room(0, opened + 1s), 0);
    EXPECT_EQ(upstream_.circuit(), State::open) << "looking is not asking";
}

TEST_F(UpstreamTest, WhoKnowsTheUpstreamSaysWhichAnswersAreFaults) {
    Upstream tolerant(client_,
                      {.name = "tolerant",
                       .operations = {"get"},
                       .breaker = {.failures_max = 1},
                       .healthy = [](const Response& answer) { return answer.status != 503; }},
                      registry_);
    const http::ClientRequest request{.url = "http://127.0.0.1:" + std::to_string(server_->port()),
                                      .timeout = 10s};
    status_ = 500;
    EXPECT_TRUE(run(tolerant.send("get", request)).response);
    EXPECT_EQ(tolerant.circuit(), State::closed);
    status_ = 503;
    EXPECT_TRUE(run(tolerant.send("get", request)).response);
    EXPECT_EQ(tolerant.circuit(), State::open);
}

TEST_F(UpstreamTest, NoAnswerIsAValueAndAFault) {
    delay_ = 50ms;
    for (int i = 0; i < 2; ++i) {
        const Attempt one = run(upstream_.send("get", {.url = "http://127.0.0.1:1"}));
        EXPECT_TRUE(one.sent);
        EXPECT_FALSE(one.response);
        EXPECT_THAT(one.failure, HasSubstr("connect"));
    }
    EXPECT_EQ(upstream_.circuit(), State::open);
    EXPECT_TRUE(
        shows(R"(rollcall_upstream_requests_total{code="none",operation="get",upstream="it"} 2)"));
}

TEST_F(UpstreamTest, WhatIsCancelledSaysNothingOfIt) {
    delay_ = 200ms;
    const std::string url = "http://127.0.0.1:" + std::to_string(server_->port());
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(run(with_timeout(upstream_.send("get", {.url = url}), 20ms)));
    }
    EXPECT_EQ(upstream_.circuit(), State::closed);
    delay_ = 0ms;
    EXPECT_TRUE(attempt().response);
}

}  // namespace
}  // namespace rollcall::http
