// What the tests of the webhook door share: the door on a migrated database, behind a real
// listener, and a sender that signs.
#pragma once

#include "base/log.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "jobs/queue.hpp"
#include "support/postgres.hpp"
#include "support/run.hpp"
#include "webhooks/endpoint.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace rollcall::webhooks {

namespace json = boost::json;

inline constexpr std::string_view secret = "whsec_Y3VycmVudCBzZWNyZXQgb2YgdGhlIHRlc3Rz";
inline constexpr std::string_view old_secret = "whsec_cHJldmlvdXMgc2VjcmV0IG9mIHRoZSB0ZXN0";

inline std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// An answer as "202 {…}".
inline std::string shown(const http::Response& response) {
    return std::to_string(response.status) + " " + response.body;
}

// One delivery on its way; what is left empty is filled in as an honest sender would.
struct Sent {
    std::string id;
    std::string body;
    std::string timestamp{};
    std::string signature{};
    std::string content_type = "application/json";
    std::vector<std::string> traces{};
};

class Door {
public:
    Door(asio::io_context& io, const pg::DatabaseConfig& database, const WebhookConfig& config = {},
         const http::GuardConfig& guard_config = {})
        : io_(io),
          guard(guard_config, real_clock(), metrics),
          pool_(io.get_executor(), "intake", static_cast<int>(config.lanes), database, metrics),
          deliveries(pool_, real_clock(), config),
          intake_(
              io.get_executor(), config,
              [this](std::span<const jobs::NewJob> jobs) { return queue_.enqueue(jobs); }, metrics),
          endpoint(config, secrets(), {},
                   {intake_, deliveries, guard, real_clock(), random_, metrics}),
          server_(io.get_executor(),
                  {.listen = "127.0.0.1:0", .body_bytes_max = config.body_bytes_max}, router_,
                  http::make_server_metrics(metrics)) {
        endpoint.add_routes(router_);
        EXPECT_TRUE(server_.start());
    }
    ~Door() {
        run(server_.drain(std::chrono::seconds(5)));
        run(intake_.stop());
        run(pool_.stop());
    }
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    template <class T>
    T run(Task<T> task) {
        return test::run(io_, std::move(task));
    }

    static SigningSecrets secrets() {
        auto parsed = SigningSecrets::parse(std::string(secret) + " " + std::string(old_secret));
        EXPECT_TRUE(parsed);
        return *std::move(parsed);
    }

    static http::Fields headers(const Sent& sent, std::size_t slot = 0) {
        const std::string now =
            std::to_string(real_clock().now().time_since_epoch().count() / 1000);
        const std::string timestamp = sent.timestamp.empty() ? now : sent.timestamp;
        http::Fields fields;
        if (!sent.content_type.empty()) fields.add("Content-Type", sent.content_type);
        for (const std::string& trace : sent.traces) fields.add("traceparent", trace);
        fields.add("svix-id", sent.id);
        fields.add("svix-timestamp", timestamp);
        fields.add("svix-signature", sent.signature.empty()
                                         ? secrets().sign(slot, sent.id, timestamp, sent.body)
                                         : sent.signature);
        return fields;
    }

    // Over the network.
    http::Response post(const Sent& sent, const std::string& path = "/webhooks/clerk") {
        http::ClientRequest request;
        request.method = "POST";
        request.url = fmt::format("http://127.0.0.1:{}{}", server_.port(), path);
        request.headers = headers(sent);
        request.body = sent.body;
        return run(client_.send(std::move(request)));
    }

    // Many at once, handed to the endpoint directly.
    std::vector<http::Response> hand_all(const std::vector<Sent>& all) {
        std::vector<std::shared_ptr<test::Outcome<http::Response>>> outcomes;
        for (const Sent& sent : all) {
            outcomes.push_back(std::make_shared<test::Outcome<http::Response>>());
            asio::co_spawn(io_, test::keep(hand(sent), outcomes.back()),
                           [outcome = outcomes.back()](const std::exception_ptr& failure) {
                               outcome->failure = failure;
                               outcome->done = true;
                           });
        }
        std::vector<http::Response> responses;
        for (const auto& outcome : outcomes) {
            EXPECT_TRUE(test::wait_until(io_, [&] { return outcome->done; }));
            EXPECT_FALSE(outcome->failure);
            responses.push_back(outcome->value.value_or(http::Response{}));
        }
        return responses;
    }
    Task<http::Response> hand(Sent sent) {
        http::Request request;
        request.method = "POST";
        request.path = request.target = "/webhooks/clerk";
        request.headers = headers(sent);
        request.body = sent.body;
        request.client_address = "203.0.113.7";
        request.request_id = "test";
        co_return co_await endpoint.handle(request);
    }

    [[nodiscard]] double metric(const std::string& line_start) const {
        const std::string page = metrics.render();
        const auto at = page.find("\n" + line_start + " ");
        EXPECT_NE(at, std::string::npos) << line_start;
        return at == std::string::npos ? -1 : std::stod(page.substr(at + line_start.size() + 2));
    }

private:
    asio::io_context& io_;

public:
    MetricsRegistry metrics;
    http::AddressGuard guard;

private:
    Random random_{7};
    pg::Pool pool_;
    jobs::JobQueue queue_{pool_};

public:
    DeliveryLog deliveries;

private:
    Intake intake_;

public:
    Endpoint endpoint;

private:
    http::Router router_;
    http::Server server_;
    http::Client client_{io_.get_executor()};
};

class WebhooksTest : public testing::Test {
protected:
    std::string sql(const std::string& text) const { return db.sql(text, io); }
    [[nodiscard]] std::string column(const std::string& svix_id,
                                     std::string_view expression) const {
        return sql(fmt::format("SELECT ({})::text FROM public.job_queue WHERE event_id = '{}'",
                               expression, svix_id));
    }
    static std::string job_id(const http::Response& response) {
        return std::string(json::parse(response.body).at("jobId").as_string());
    }
    static std::string user(const std::string& type, const std::string& id,
                            const std::string& more = "") {
        return R"({"object":"event","type":")" + type +
               R"(","timestamp":1762340400417,"data":{"id":")" + id + "\"" + more + "}}";
    }

    test::Database db{test::Database::Content::migrated};
    mutable asio::io_context io;
};

}  // namespace rollcall::webhooks
