#include "clerk/key_set.hpp"

#include "base/together.hpp"
#include "crypto/signing_key.hpp"
#include "http/loopback_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <deque>

namespace rollcall::clerk {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// A publisher of keys on a socket of this machine, and the set that asks it.
class KeySetTest : public http::LoopbackTest {
public:
    KeySetTest() {
        for (const char* path : {"/jwks", "/v1/jwks"}) {
            router_.add({"GET"}, path, [this](http::Request& r) { return answer(r); });
        }
        start();
        config.source.url = url("/jwks");
        config.source.issuer = "https://i";
        config.schedule.cooldown = 0ms;
        config.schedule.cooldown_jitter = 0ms;
        config.schedule.first_delay = 20ms;
        config.schedule.first_jitter = 5ms;
        publish({&first});
    }
    ~KeySetTest() override {
        if (set) run(set->stop());
        set.reset();
        run(server_->drain(1s));
    }

    [[nodiscard]] std::string url(const std::string& path) const {
        return "http://127.0.0.1:" + std::to_string(server_->port()) + path;
    }
    void publish(std::vector<const crypto::SigningKey*> keys) {
        std::string text = R"({"keys":[)";
        for (const auto* key : keys) {
            if (!text.ends_with('[')) text += ',';
            text += key->public_jwk();
        }
        always = http::Response::json(200, text + "]}");
    }
    void open() {
        set.emplace(io_.get_executor(), std::move(config), registry_);
        set->start();
    }
    void open_and_wait() {
        open();
        run_until([this] { return set->keys() != nullptr; });
    }
    static std::string token_of(const crypto::SigningKey& key) {
        const auto now = std::chrono::floor<std::chrono::seconds>(real_clock().now());
        const auto seconds = now.time_since_epoch().count();
        return key.issue(R"({"sub":"user_1","sid":"s","iss":"https://i","iat":)" +
                         std::to_string(seconds) + R"(,"exp":)" + std::to_string(seconds + 60) +
                         "}");
    }
    std::string verdict_on(const crypto::SigningKey& key) {
        const auto verdict = run(set->verify(token_of(key), rules));
        return std::string(verdict ? "ok" : to_string(verdict.error().reason));
    }
    [[nodiscard]] double metric(const std::string& line) const {
        const std::string text = "\n" + registry_.render();
        const auto at = text.find("\n" + line + " ");
        return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size() + 2));
    }
    [[nodiscard]] double refreshes(const std::string& trigger, const std::string& result) const {
        return metric(R"(rollcall_jwks_refreshes_total{issuer="https://i",result=")" + result +
                      R"(",trigger=")" + trigger + "\"}");
    }

    crypto::SigningKey first = crypto::SigningKey::make();
    crypto::SigningKey second = crypto::SigningKey::make();
    KeySetConfig config;
    TokenRules rules{.issuers = {"https://i"}, .algorithms = {crypto::Algorithm::es256}};
    std::deque<http::Response> next;
    http::Response always;
    std::chrono::milliseconds delay{0};
    std::vector<http::Request> asked;
    std::optional<KeySet> set;

private:
    Task<http::Response> answer(http::Request& request) {
        asked.push_back(request);
        if (delay.count() > 0) co_await sleep(delay);
        if (next.empty()) co_return always;
        auto response = std::move(next.front());
        next.pop_front();
        co_return response;
    }
};

TEST_F(KeySetTest, FetchesAtTheStartAndVerifies) {
    open();
    EXPECT_EQ(set->keys(), nullptr);
    EXPECT_EQ(verdict_on(first), "jwks_unavailable");
    run_until([this] { return set->keys() != nullptr; });
    EXPECT_EQ(verdict_on(first), "ok");
    EXPECT_EQ(set->issuer(), "https://i");
    EXPECT_EQ(asked.size(), 1U);
    EXPECT_FALSE(asked[0].headers.get("authorization").has_value());
    EXPECT_EQ(metric(R"(rollcall_jwks_keys{issuer="https://i"})"), 1);
    EXPECT_EQ(metric(R"(rollcall_jwks_stale{issuer="https://i"})"), 0);
    EXPECT_GT(metric(R"(rollcall_jwks_last_success_timestamp_seconds{issuer="https://i"})"), 1e9);
    EXPECT_EQ(refreshes("start", "ok"), 1);
    EXPECT_EQ(metric("rollcall_upstream_requests_total"
                     R"({code="200",operation="get_jwks",upstream="jwks"})"),
              1);
}

TEST_F(KeySetTest, ShowsTheSecretKeyToTheBackendApi) {
    config.source.url = url("/v1/jwks");
    config.source.bearer = Secret("sk_test_x");
    open_and_wait();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].headers.get("authorization"), "Bearer sk_test_x");
    EXPECT_TRUE(asked[0].headers.get("clerk-api-version").has_value());
}

TEST_F(KeySetTest, APinnedKeyIsNeverFetched) {
    const auto published = crypto::JwkSet::parse(R"({"keys":[)" + first.public_jwk() + "]}");
    ASSERT_TRUE(published.has_value());
    config.source.pinned = crypto::VerifyKey::from_pem(
                               "-----BEGIN PUBLIC KEY-----\n"
                               "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
                               "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
                               "-----END PUBLIC KEY-----\n")
                               .value();
    open();
    ASSERT_NE(set->keys(), nullptr);
    EXPECT_EQ(verdict_on(first), "bad_signature");
    EXPECT_EQ(metric(R"(rollcall_jwks_keys{issuer="https://i"})"), 1);
    run(set->stop());
    EXPECT_TRUE(asked.empty());
}

// fault 34
TEST_F(KeySetTest, AsksAgainSoonWhileThereIsNoSet) {
    next = {http::Response::text(503, "away"), http::Response::text(200, "<html>"),
            http::Response::json(200, R"({"keys":[]})"), http::Response::json(404, "{}")};
    open_and_wait();
    EXPECT_EQ(asked.size(), 5U);
    EXPECT_EQ(refreshes("start", "failed"), 2);
    EXPECT_EQ(refreshes("start", "refused"), 2);
    EXPECT_EQ(refreshes("start", "ok"), 1);
    EXPECT_EQ(verdict_on(first), "ok");
}

TEST_F(KeySetTest, RecoversFromAPublisherThatNeverAnswered) {
    config.timeout = 50ms;
    delay = 5s;
    open();
    run_until([this] { return refreshes("start", "failed") >= 6; });
    delay = 0ms;
    run_until([this] { return set->keys() != nullptr; });
    EXPECT_EQ(verdict_on(first), "ok");
}

// fault 35
TEST_F(KeySetTest, ANewKidIsFetchedAndTheTokenJudgedAgain) {
    config.miss_wait = 1h;  // that it need not wait for
    open_and_wait();
    publish({&first, &second});
    EXPECT_EQ(verdict_on(second), "ok");
    EXPECT_EQ(asked.size(), 2U);
    EXPECT_EQ(refreshes("kid_miss", "ok"), 1);
}

TEST_F(KeySetTest, WithinTheCoolDownAKidIsNotAskedFor) {
    config.schedule.cooldown = 1h;
    open_and_wait();
    publish({&first, &second});
    EXPECT_EQ(verdict_on(second), "kid_unknown");
    EXPECT_EQ(asked.size(), 1U);
}

TEST_F(KeySetTest, AKidBeyondAnyKeysIsNotAskedFor) {
    open_and_wait();
    EXPECT_FALSE(run(set->look_for(std::string(crypto::JwkSet::kid_bytes_max + 1, 'k'))));
    EXPECT_EQ(asked.size(), 1U);
    EXPECT_FALSE(run(set->look_for(std::string(crypto::JwkSet::kid_bytes_max, 'k'))));
    EXPECT_EQ(asked.size(), 2U);
}

TEST_F(KeySetTest, WhoWouldBeOneTooManyDoesNotWait) {
    config.waiting_max = 0;
    open_and_wait();
    publish({&first, &second});
    EXPECT_EQ(verdict_on(second), "kid_unknown");
    EXPECT_EQ(asked.size(), 1U);
}

// What was verified before is remembered for one generation.
TEST_F(KeySetTest, AGenerationLastsUntilTheSetChanges) {
    config.schedule.ttl = 1ms;
    config.schedule.cooldown = 20ms;
    open();
    EXPECT_FALSE(set->generation().has_value());
    run_until([this] { return set->keys() != nullptr; });
    const auto begun = set->generation();
    EXPECT_TRUE(begun.has_value());
    const double ok = refreshes("timer", "ok");
    run_until([&] { return refreshes("timer", "ok") > ok; });
    EXPECT_EQ(set->generation(), begun);
    publish({&second});
    run_until([this] { return set->keys()->find(first.kid()) == nullptr; });
    EXPECT_TRUE(set->generation().has_value());
    EXPECT_NE(set->generation(), begun);
}

TEST_F(KeySetTest, ManyTokensOfANewKidMakeOneRequest) {
    open_and_wait();
    publish({&first, &second});
    delay = 30ms;
    std::vector<Task<>> tasks;
    tasks.reserve(40);
    int good = 0;
    const auto one = [](KeySetTest& test, int& count) -> Task<> {
        const auto verdict = co_await test.set->verify(token_of(test.second), test.rules);
        if (verdict) ++count;
    };
    for (int i = 0; i < 40; ++i) tasks.push_back(one(*this, good));
    run(together(std::move(tasks)));
    EXPECT_EQ(good, 40);
    EXPECT_EQ(asked.size(), 2U);
}

// fault 36
TEST_F(KeySetTest, AKidThatStaysUnknownIsNotAskedForTwice) {
    open_and_wait();
    EXPECT_EQ(verdict_on(second), "kid_unknown");
    EXPECT_EQ(asked.size(), 2U);
    EXPECT_EQ(verdict_on(second), "kid_unknown");
    EXPECT_EQ(asked.size(), 2U);
    EXPECT_EQ(verdict_on(crypto::SigningKey::make()), "kid_unknown");
    EXPECT_EQ(asked.size(), 3U);
}

// fault 35
TEST_F(KeySetTest, AWithdrawnKeyIsGoneAtOnce) {
    config.schedule.ttl_min = 1ms;
    config.schedule.cooldown = 20ms;
    publish({&first, &second});
    always.headers.add("Cache-Control", "max-age=0");
    open_and_wait();
    EXPECT_EQ(verdict_on(first), "ok");
    publish({&second});
    run_until([this] { return set->keys()->find(first.kid()) == nullptr; });
    EXPECT_EQ(verdict_on(first), "kid_unknown");
    EXPECT_EQ(verdict_on(second), "ok");
    EXPECT_GE(refreshes("timer", "ok"), 1);
}

// fault 34
TEST_F(KeySetTest, ABadSetReplacesNoGoodOne) {
    config.schedule.ttl = 1ms;
    config.schedule.cooldown = 20ms;
    open_and_wait();
    const std::string good = always.body;
    log::Capture capture;
    const auto twice = R"({"keys":[)" + first.public_jwk() + "," + first.public_jwk() + "]}";
    for (const std::string& bad :
         {std::string("<html>"), std::string(R"({"keys":[]})"), twice,
          R"({"keys":[{"kty":"oct","k":"AAAA","kid":"h"},)" + good.substr(9),
          std::string(300'000, ' ')}) {
        always = http::Response::json(200, bad);
        const double before = refreshes("timer", "refused") + refreshes("timer", "failed");
        run_until(
            [&] { return refreshes("timer", "refused") + refreshes("timer", "failed") > before; });
        EXPECT_EQ(verdict_on(first), "ok") << bad.substr(0, 60);
    }
    EXPECT_GE(refreshes("timer", "failed"), 1) << "what is too large is not read to its end";
    EXPECT_EQ(metric(R"(rollcall_jwks_stale{issuer="https://i"})"), 1);
    EXPECT_THAT(std::string(capture.text()), HasSubstr("symmetric_key"));
    EXPECT_THAT(std::string(capture.text()), HasSubstr("duplicate_kid"));
    EXPECT_THAT(std::string(capture.text()), testing::Not(HasSubstr("AAAA")));
    always = http::Response::json(200, good);
    const double ok = refreshes("timer", "ok");
    run_until([&] { return refreshes("timer", "ok") > ok; });
    EXPECT_EQ(metric(R"(rollcall_jwks_keys{issuer="https://i"})"), 1);
}

// fault 34
TEST_F(KeySetTest, WithoutAnAnswerForLongEnoughNothingServes) {
    config.schedule.ttl = 1ms;
    config.schedule.cooldown = 20ms;
    config.schedule.stale_max = 400ms;
    open_and_wait();
    always = http::Response::text(500, "");
    EXPECT_EQ(verdict_on(first), "ok");
    run_until([this] { return set->keys() == nullptr; });
    EXPECT_FALSE(set->generation().has_value());
    EXPECT_EQ(verdict_on(first), "jwks_unavailable");
    EXPECT_EQ(metric(R"(rollcall_jwks_keys{issuer="https://i"})"), 0);
    publish({&first});
    run_until([this] { return set->keys() != nullptr; });
    EXPECT_EQ(verdict_on(first), "ok");
    EXPECT_EQ(metric(R"(rollcall_jwks_keys{issuer="https://i"})"), 1);
}

TEST_F(KeySetTest, RedirectsAreNotFollowed) {
    http::Response elsewhere = http::Response::text(302, "");
    elsewhere.headers.add("Location", url("/v1/jwks"));
    next = {elsewhere};
    open_and_wait();
    ASSERT_EQ(asked.size(), 2U);
    EXPECT_EQ(asked[0].path, "/jwks");
    EXPECT_EQ(asked[1].path, "/jwks");
}

TEST_F(KeySetTest, StopsInTheMiddleOfARequestAndStartsAgain) {
    // The loop gives up long before this answer.
    config.timeout = 60s;
    delay = 60s;
    open();
    run_until([this] { return asked.size() == 1; });
    run(set->stop());
    run(set->stop());
    EXPECT_EQ(set->keys(), nullptr);
    delay = 0ms;
    set->start();
    set->start();
    run_until([this] { return set->keys() != nullptr; });
    EXPECT_EQ(verdict_on(first), "ok");
}

}  // namespace
}  // namespace rollcall::clerk
