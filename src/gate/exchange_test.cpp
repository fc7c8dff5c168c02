#include "gate/exchange.hpp"

#include "crypto/jwk_set.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <optional>

namespace rollcall::gate {
namespace {

using namespace std::chrono_literals;
using clerk::TokenReason;
using testing::HasSubstr;
using testing::Not;

// Clerk's token is good, and its user known, unless a test says otherwise.
class ExchangeTest : public testing::Test {
protected:
    ExchangeTest() {
        claims.subject = "user_a";
        claims.session_id = "sess_a";
        claims.expires_at = clock.now() + 60s;
        caller.standing.user_id = "0b0c7d4e-2f5a-4c1e-9f64-0b0f6d2f1a11";
    }

    http::Response ask(const std::string& more = "", bool verbose = true) {
        ExchangeConfig config;
        config.verbose = verbose;
        Exchange exchange(config,
                          {.verify = [this](std::string token) { return verify(token); },
                           .find = [this](std::string id, std::string) { return find(id); },
                           .signing_key = [this] { return has_key ? &key : nullptr; },
                           .jwks = [] { return std::string(); }},
                          clock, registry);
        http::Request request;
        request.headers.add("Content-Type", "application/x-www-form-urlencoded");
        request.body =
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=token"
            "&subject_token_type=urn:ietf:params:oauth:token-type:jwt" +
            more;
        http::Response response;
        asio::co_spawn(io, exchange.answer(request),
                       [&](const std::exception_ptr& failure, http::Response answer) {
                           if (failure) std::rethrow_exception(failure);
                           response = std::move(answer);
                       });
        io.restart();
        io.run();
        return response;
    }
    Task<clerk::TokenVerdict> verify(std::string token) {
        EXPECT_EQ(token, "token");
        if (refused) co_return std::unexpected(clerk::TokenRefusal{*refused});
        co_return claims;
    }
    Task<Result<Caller>> find(std::string id) {
        EXPECT_EQ(id, "user_a");
        if (away) co_return fail(ErrorCode::unavailable, "away");
        co_return caller;
    }
    // The answer to `more`, in few words.
    std::string said(const std::string& more = "") {
        const auto response = ask(more);
        EXPECT_EQ(response.headers.get("Cache-Control"), "no-store");
        EXPECT_EQ(response.headers.get("Pragma"), "no-cache");
        EXPECT_EQ(response.headers.count("Retry-After"), response.status == 503 ? 1U : 0U);
        if (response.status != 200) EXPECT_THAT(response.body, Not(HasSubstr("access_token")));
        return std::to_string(response.status) + " " + response.body;
    }
    static std::string bad(std::string_view reason) {
        return R"(400 {"error":"invalid_request","error_description":")" + std::string(reason) +
               "\"}";
    }

    asio::io_context io;
    ManualClock clock{SystemTime(1'762'340'400s)};
    MetricsRegistry registry;
    crypto::SigningKey key = crypto::SigningKey::make();
    clerk::SessionClaims claims;
    Caller caller;
    std::optional<TokenReason> refused;
    bool away = false;
    bool has_key = true;
};

TEST_F(ExchangeTest, AGoodTokenIsExchangedForOneThatTheOwnKeyHasSigned) {
    const auto response = ask();
    EXPECT_EQ(response.status, 200U);
    const std::string begin = R"({"access_token":")";
    ASSERT_TRUE(response.body.starts_with(begin));
    const std::string token =
        response.body.substr(begin.size(), response.body.find('"', begin.size()) - begin.size());
    EXPECT_THAT(response.body, HasSubstr(R"("token_type":"Bearer","expires_in":60})"));
    const auto keys = crypto::JwkSet::parse(R"({"keys":[)" + key.public_jwk() + "]}");
    ASSERT_TRUE(keys);
    const auto payload = clerk::verify_signature(token, *keys, {crypto::Algorithm::es256});
    ASSERT_TRUE(payload);
    EXPECT_THAT(*payload, HasSubstr(R"("sub":"0b0c7d4e-2f5a-4c1e-9f64-0b0f6d2f1a11")"));
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_gate_exchanges_total{reason=\"ok\"} 1"));
    // Another token each time.
    EXPECT_NE(ask().body, response.body);
}

TEST_F(ExchangeTest, WhateverIsWrongWithTheTokenIssuesNothing) {
    for (std::size_t i = 0; i < clerk::token_reasons; ++i) {
        refused = static_cast<TokenReason>(i);
        if (refused == TokenReason::jwks_unavailable) continue;
        EXPECT_EQ(said(), bad(clerk::to_string(*refused)));
    }
    refused = TokenReason::jwks_unavailable;
    EXPECT_TRUE(said().starts_with(R"(503 {"error":"temporarily_unavailable")"));
}

TEST_F(ExchangeTest, ATokenThatIsOverIssuesNothing) {
    claims.expires_at = clock.now();
    EXPECT_EQ(said(), bad("expired"));
}

TEST_F(ExchangeTest, WhoMayNotEnterGetsNothing) {
    const auto with = [this](const auto& change) {
        const Caller before = caller;
        change(caller);
        std::string answer = said();
        caller = before;
        return answer;
    };
    EXPECT_EQ(with([](Caller& c) { c.standing.user_id.clear(); }), bad("user_unknown"));
    EXPECT_EQ(with([](Caller& c) { c.standing.deleted = true; }), bad("user_deleted"));
    EXPECT_EQ(with([](Caller& c) { c.standing.banned = true; }), bad("user_banned"));
    EXPECT_EQ(with([](Caller& c) { c.standing.locked = true; }), bad("user_banned"));
    EXPECT_EQ(with([](Caller& c) { c.standing.revoked_for = 0.5; }), bad("session_revoked"));
    EXPECT_TRUE(with([](Caller& c) { c.confirmed = false; }).starts_with("503 "));
    EXPECT_THAT(registry.render(),
                HasSubstr("rollcall_gate_exchanges_total{reason=\"user_banned\"} 2"));
}

TEST_F(ExchangeTest, WhatCannotBeJudgedOrSignedIsAskedForLater) {
    away = true;
    EXPECT_TRUE(said().starts_with(R"(503 {"error":"temporarily_unavailable")"));
    away = false;
    has_key = false;
    EXPECT_TRUE(said().starts_with(R"(503 {"error":"temporarily_unavailable")"));
    EXPECT_THAT(registry.render(),
                HasSubstr("rollcall_gate_exchanges_total{reason=\"unavailable\"} 2"));
}

TEST_F(ExchangeTest, WhyATokenIsRefusedCanBeLeftUnsaid) {
    refused = TokenReason::bad_azp;
    EXPECT_EQ(ask("", /*verbose=*/false).body, R"({"error":"invalid_request"})");
    EXPECT_EQ(said("&scope=a"),
              R"(400 {"error":"invalid_scope","error_description":"there are no scopes"})");
}

}  // namespace
}  // namespace rollcall::gate
