// The simulated Clerk as its users meet it: over HTTP, with a receiver for its webhooks.
#include "sim/clerk_simulator.hpp"

#include "base/log.hpp"
#include "crypto/digest.hpp"
#include "crypto/encoding.hpp"
#include "http/client.hpp"
#include "http/router.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <functional>

namespace rollcall::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

// What a receiver got, and what it says.
struct Received {
    http::Fields headers;
    std::string body;
};

class ClerkSimulatorTest : public testing::Test {
protected:
    ClerkSimulatorTest() {
        receiver_routes_.add({"POST"}, "/hook",
                             [this](http::Request& request) { return receive(request); });
        EXPECT_TRUE(receiver_.start());
        config_.secret_key = "sk_test_integration";
        config_.webhook_url = hook();
        config_.webhook_secrets = {std::string(secret)};
        config_.seed = 1;
        config_.speed = 1000;
    }

    ~ClerkSimulatorTest() override {
        run([this]() -> Task<> {
            if (sim_) co_await sim_->drain(2s);
            co_await receiver_.drain(1s);
        });
    }

    [[nodiscard]] std::string hook() const {
        return "http://127.0.0.1:" + std::to_string(receiver_.port()) + "/hook";
    }

    Task<http::Response> receive(http::Request& request) {
        received_.push_back({request.headers, request.body});
        http::Response response;
        response.status = 200;
        if (answer_) response = answer_(received_.size());
        co_return response;
    }

    void start() {
        sim_ = std::make_unique<ClerkSimulator>(loop_.get_executor(), config_, metrics_);
        const auto started = sim_->start();
        ASSERT_TRUE(started.has_value()) << started.error().message;
    }

    // Runs `body` to its end.
    void run(const std::function<Task<>()>& body) {
        bool done = false;
        std::exception_ptr failure;
        asio::co_spawn(loop_, body(), [&](const std::exception_ptr& thrown) {
            done = true;
            failure = thrown;
        });
        loop_.restart();
        const auto until = std::chrono::steady_clock::now() + 30s;
        while (!done && std::chrono::steady_clock::now() < until) loop_.run_one_for(1s);
        ASSERT_TRUE(done) << "still running after 30 seconds";
        if (failure) std::rethrow_exception(failure);
    }

    // Lets the loop turn until `condition` holds.
    void wait_for(const std::function<bool()>& condition) {
        loop_.restart();
        const auto until = std::chrono::steady_clock::now() + 20s;
        while (!condition()) {
            ASSERT_LT(std::chrono::steady_clock::now(), until) << "waited in vain";
            loop_.run_one_for(10ms);
        }
    }

    http::Response call(const std::string& method, const std::string& path,
                        const std::string& body = "", http::Fields headers = {}) {
        http::Response answer;
        run([&]() -> Task<> {
            http::ClientRequest request;
            request.method = method;
            request.url = sim_->url() + path;
            request.headers = headers;
            request.headers.set("Authorization", "Bearer sk_test_integration");
            request.body = body;
            answer = co_await client_.send(request);
        });
        return answer;
    }

    json::value api(const std::string& method, const std::string& path,
                    const std::string& body = "") {
        const auto answer = call(method, path, body);
        EXPECT_EQ(answer.status, 200U) << answer.body;
        return json::parse(answer.body);
    }

    // Whether some signature of a delivery fits the secret, worked out here by hand.
    static bool signed_well(const Received& one) {
        const auto key = crypto::base64_decode(secret.substr(6));
        const auto text = std::string(*one.headers.get("svix-id")) + "." +
                          std::string(*one.headers.get("svix-timestamp")) + "." + one.body;
        const auto mac = crypto::HmacKey(*key).sign(text);
        const auto wanted =
            "v1," + crypto::base64_encode({reinterpret_cast<const char*>(mac.data()), mac.size()});
        return one.headers.get("svix-signature")->contains(wanted);
    }

    asio::io_context loop_;
    MetricsRegistry registry_;
    std::shared_ptr<http::ServerMetrics> metrics_ = http::make_server_metrics(registry_);
    http::Client client_{loop_.get_executor()};
    http::Router receiver_routes_;
    http::Server receiver_{loop_.get_executor(),
                           {.listen = "127.0.0.1:0", .name = "receiver"},
                           receiver_routes_,
                           metrics_};
    std::vector<Received> received_;
    std::function<http::Response(std::size_t)> answer_;
    ClerkSimulatorConfig config_;
    std::unique_ptr<ClerkSimulator> sim_;
    log::Capture log_;
};

http::Response status(unsigned code) {
    http::Response response;
    response.status = code;
    return response;
}

TEST_F(ClerkSimulatorTest, RefusesLiveKeysAndEveryOtherMachine) {
    const auto refusal = [&](auto change) {
        auto config = config_;
        change(config);
        ClerkSimulator sim(loop_.get_executor(), config, metrics_);
        const auto started = sim.start();
        if (started) return std::string("started");
        EXPECT_EQ(started.error().code, ErrorCode::bad_configuration);
        return started.error().message;
    };
    using C = ClerkSimulatorConfig;
    EXPECT_NE(refusal([](C& c) { c.secret_key = "sk_live_abc"; }).find("live key"),
              std::string::npos);
    EXPECT_NE(refusal([](C& c) { c.secret_key = "pk_live_abc"; }).find("live key"),
              std::string::npos);
    EXPECT_NE(refusal([](C& c) { c.secret_key = "abc"; }).find("sk_test_"), std::string::npos);
    EXPECT_NE(refusal([](C& c) { c.listen = "0.0.0.0:0"; }).find("loopback"), std::string::npos);
    EXPECT_NE(refusal([](C& c) { c.webhook_url = "https://example.com/x"; }).find("loopback"),
              std::string::npos);
    EXPECT_NE(refusal([](C& c) { c.webhook_secrets = {"whsec_"}; }).find("24"), std::string::npos);
    EXPECT_NE(refusal([](C& c) { c.faults = {"dorp=1"}; }).find("dorp"), std::string::npos);
    EXPECT_NE(refusal([](C& c) { c.speed = 0; }).find("speed"), std::string::npos);
}

TEST_F(ClerkSimulatorTest, ServesTheApiOnlyWithTheKey) {
    config_.users = 3;
    config_.announce_users = false;
    start();
    EXPECT_EQ(api("GET", "/v1/users?limit=2").as_array().size(), 2U);
    const auto answer = call("GET", "/v1/users");
    EXPECT_EQ(answer.headers.get("content-type"), "application/json");
    EXPECT_EQ(answer.headers.count("content-type"), 1U);
    run([&]() -> Task<> {
        http::ClientRequest request;
        request.url = sim_->url() + "/v1/a/b/c/d/e/f";
        const auto refused = co_await client_.send(request);
        EXPECT_EQ(refused.status, 401U);
        EXPECT_TRUE(refused.body.contains("authorization_header_format_invalid"));
    });
    EXPECT_TRUE(received_.empty());
}

TEST_F(ClerkSimulatorTest, DeliversEverySignedChange) {
    start();
    const auto user = api("POST", "/v1/users", R"({"email_address":["a@example.com"]})");
    const auto id = std::string(user.at("id").as_string());
    api("PATCH", "/v1/users/" + id, R"({"first_name":"Ada"})");
    api("DELETE", "/v1/users/" + id);
    wait_for([&] { return received_.size() == 3; });
    for (const auto& one : received_) {
        EXPECT_TRUE(signed_well(one));
        EXPECT_EQ(one.headers.get("content-type"), "application/json");
        EXPECT_TRUE(one.headers.get("user-agent")->starts_with("Svix-Webhooks/"));
        EXPECT_TRUE(one.headers.get("svix-id")->starts_with("msg_"));
    }
    EXPECT_EQ(json::parse(received_.front().body).at("data"), user);
    wait_for([&] { return sim_->instance().messages.count(MessageStatus::delivered) == 3; });
}

TEST_F(ClerkSimulatorTest, RetriesTheSameBytesUnderTheSameIdUntilAccepted) {
    answer_ = [](std::size_t call) { return status(call < 4 ? 503 : 202); };
    start();
    sim_->instance().publish_raw("test", "", "{\"a\": 1}");
    wait_for([&] { return received_.size() == 4; });
    for (const auto& one : received_) {
        EXPECT_EQ(one.body, "{\"a\": 1}");
        EXPECT_EQ(one.headers.get("svix-id"), received_.front().headers.get("svix-id"));
        EXPECT_TRUE(signed_well(one));
    }
    wait_for([&] { return sim_->instance().messages.count(MessageStatus::delivered) == 1; });
}

TEST_F(ClerkSimulatorTest, GivesUpWhenNobodyListensAndReplaysOnDemand) {
    config_.webhook_url = "http://127.0.0.1:1/nobody";
    config_.speed = 1e6;
    start();
    sim_->instance().publish_raw("test", "", "{}");
    wait_for([&] { return sim_->instance().messages.count(MessageStatus::failed) == 1; });
    ASSERT_TRUE(sim_->set_webhook_url(hook()));
    EXPECT_FALSE(sim_->set_webhook_url("http://example.com/"));
    EXPECT_EQ(api("POST", "/sim/replay?status=failed").at("planned").as_int64(), 1);
    wait_for([&] { return received_.size() == 1; });
    EXPECT_TRUE(signed_well(received_.front()));
}

TEST_F(ClerkSimulatorTest, StopsAMessageOrTheEndpointWhenTheReceiverSaysSo) {
    answer_ = [](std::size_t call) {
        auto response = status(500);
        response.headers.set("webhook-delivery", call == 1 ? "abort-message" : "disable");
        return response;
    };
    start();
    auto& messages = sim_->instance().messages;
    sim_->instance().publish_raw("first", "", "{}");
    wait_for([&] { return messages.count(MessageStatus::failed) == 1; });
    sim_->instance().publish_raw("second", "", "{}");
    wait_for([&] { return !sim_->instance().endpoint.enabled; });
    sim_->instance().publish_raw("third", "", "{}");
    EXPECT_EQ(messages.count(MessageStatus::missing), 1U);
    answer_ = nullptr;
    const auto endpoint = api("PATCH", "/sim/endpoint", R"({"enabled":true})");
    EXPECT_EQ(endpoint.at("url").as_string(), hook());
    wait_for([&] { return messages.count(MessageStatus::delivered) == 1; });
    EXPECT_EQ(api("POST", "/sim/replay?status=missing").at("planned").as_int64(), 1);
    wait_for([&] { return messages.count(MessageStatus::delivered) == 2; });
}

TEST_F(ClerkSimulatorTest, SignsWronglyAndSendsTwiceWhenAsked) {
    answer_ = [](std::size_t call) { return status(call == 1 ? 401 : 200); };
    start();
    api("PATCH", "/sim/faults", R"({"bad_signature":1,"ack_lost":1})");
    sim_->instance().publish_raw("test", "", "{}");
    wait_for([&] { return received_.size() == 3; });
    EXPECT_FALSE(signed_well(received_[0]));
    EXPECT_TRUE(signed_well(received_[1])) << "its answer is lost, so it comes again";
    EXPECT_TRUE(signed_well(received_[2]));
    const auto struck = api("GET", "/sim").at("faults_struck");
    EXPECT_EQ(struck, (json::value{{"bad_signature", 1}, {"ack_lost", 1}}));
}

TEST_F(ClerkSimulatorTest, RotatesItsSecretAndSignsWithBoth) {
    start();
    const auto rotated = api("POST", "/sim/endpoint/rotate");
    ASSERT_EQ(rotated.at("secrets").as_array().size(), 2U);
    EXPECT_EQ(rotated.at("secrets").at(1).as_string(), secret);
    sim_->instance().publish_raw("test", "", "{}");
    wait_for([&] { return received_.size() == 1; });
    EXPECT_TRUE(signed_well(received_.front()));
    const auto signatures = *received_.front().headers.get("svix-signature");
    EXPECT_EQ(std::ranges::count(signatures, ' '), 1);
    EXPECT_EQ(call("POST", "/sim/endpoint/rotate", R"({"secret":"whsec_"})").status, 400U);
}

TEST_F(ClerkSimulatorTest, AnswersTheControlRoutes) {
    start();
    const auto made = api("POST", "/sim/users", R"({"count":5,"shape":"mixed"})");
    EXPECT_EQ(made.at("created").as_int64(), 5);
    EXPECT_EQ(api("GET", "/sim/users").at("total").as_int64(), 5);
    wait_for([&] { return received_.size() == 5; });
    const auto messages = api("GET", "/sim/messages?limit=2");
    EXPECT_EQ(messages.at("total").as_int64(), 5);
    ASSERT_EQ(messages.at("messages").as_array().size(), 2U);
    const auto id = std::string(messages.at("messages").at(0).at("id").as_string());
    const auto one = api("GET", "/sim/messages/" + id);
    EXPECT_EQ(one.at("type").as_string(), "user.created");
    EXPECT_EQ(one.at("attempts").as_array().size(), 1U);
    api("POST", "/sim/messages/" + id + "/resend");
    wait_for([&] { return received_.size() == 6; });
    api("POST", "/sim/events", R"({"raw":"not json"})");
    wait_for([&] { return received_.size() == 7; });
    EXPECT_EQ(received_.back().body, "not json");
    api("POST", "/sim/alerts", R"({"alert":"Drift"})");
    EXPECT_EQ(api("GET", "/sim/alerts").at("alerts").at(0).at("body").at("alert").as_string(),
              "Drift");
    api("DELETE", "/sim/alerts");
    EXPECT_TRUE(api("GET", "/sim/alerts").at("alerts").as_array().empty());
    const auto faults = api("PUT", "/sim/faults", R"({"drop":true})");
    EXPECT_EQ(faults.at("drop"), json::value(true));
    EXPECT_EQ(call("PUT", "/sim/faults", R"({"api_429":1,"nonsense":1})").status, 400U);
    EXPECT_EQ(api("GET", "/sim/faults"), faults);
    EXPECT_EQ(api("POST", "/sim/reset", R"({"users":2})").at("users").as_int64(), 2);
    EXPECT_EQ(api("GET", "/sim/faults").at("drop"), json::value(false));
    EXPECT_EQ(call("GET", "/sim/messages/msg_unknown").status, 404U);
    EXPECT_EQ(call("POST", "/sim/users", R"({"shape":"square"})").status, 400U);
    EXPECT_EQ(call("POST", "/sim/users", R"({"count":-1})").status, 400U);
    EXPECT_EQ(call("POST", "/sim/replay?status=pending").status, 400U);
}

TEST_F(ClerkSimulatorTest, LetsNoForeignPageSteerIt) {
    start();
    const auto asked = [&](std::string_view name, std::string_view value) {
        http::Fields headers;
        headers.set(name, value);
        return call("POST", "/sim/reset", "", headers).status;
    };
    EXPECT_EQ(asked("Origin", "https://evil.example"), 403U);
    EXPECT_EQ(asked("Origin", "null"), 403U);
    EXPECT_EQ(asked("Origin", "http://localhost:5173"), 200U);
}

TEST_F(ClerkSimulatorTest, HangsWithoutHoldingUpItsEnd) {
    config_.faults = {"api_hang=always"};
    start();
    run([&]() -> Task<> {
        http::ClientRequest request;
        request.url = sim_->url() + "/v1/users";
        request.headers.set("Authorization", "Bearer sk_test_integration");
        request.timeout = 100ms;
        bool answered = true;
        try {
            co_await client_.send(request);
        } catch (const Unavailable&) {
            answered = false;
        }
        EXPECT_FALSE(answered);
        const auto began = std::chrono::steady_clock::now();
        co_await sim_->drain(5s);
        EXPECT_LT(std::chrono::steady_clock::now() - began, 4s);
    });
}

TEST_F(ClerkSimulatorTest, GoesOnWithTheSameUsersFromItsStateFile) {
    config_.state_file = testing::TempDir() + "rollcall-sim-" + std::to_string(getpid());
    config_.users = 4;
    config_.seed.reset();
    start();
    wait_for([&] { return received_.size() == 4; });
    api("POST", "/v1/users", R"({"username":"later"})");
    const auto users = api("GET", "/v1/users");
    const auto instance_id = sim_->instance().id;
    wait_for([&] { return received_.size() == 5; });
    const auto last_message = std::string(*received_.back().headers.get("svix-id"));
    run([&]() -> Task<> {
        co_await sim_->drain(1s);
        co_await sim_->drain(1s);
    });

    start();
    EXPECT_EQ(sim_->instance().id, instance_id);
    EXPECT_EQ(api("GET", "/v1/users"), users);
    api("DELETE", "/v1/users/" + std::string(users.at(0).at("id").as_string()));
    wait_for([&] { return received_.size() == 6; });
    EXPECT_GT(*received_.back().headers.get("svix-id"), last_message) << "no id comes twice";
    std::filesystem::remove(config_.state_file);
}

}  // namespace
}  // namespace rollcall::sim
