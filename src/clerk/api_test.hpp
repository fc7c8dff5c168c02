// For tests: a Clerk on a socket of this machine that answers what it is told, and the client
// before it, on one event loop that gives up after twenty seconds.
#pragma once

#include "base/clock.hpp"
#include "clerk/http_backend_api.hpp"
#include "http/server.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::clerk {

class ApiTest : public testing::Test {
public:
    ApiTest() {
        for (const char* path :
             {"/v1/users", "/v1/users/count", "/v1/users/{id}", "/v1/instance"}) {
            router_.add({"GET"}, path, [this](http::Request& request) { return answer(request); });
        }
        EXPECT_TRUE(server_.start());
        config.url = "http://127.0.0.1:" + std::to_string(server_.port());
        config.secret_key = Secret("sk_test_of_the_tests");
        config.timeout = std::chrono::milliseconds(5000);
        config.rate_limit = 1'000'000;
    }
    ~ApiTest() override {
        api_.reset();
        channel_.reset();
        wait(server_.drain(std::chrono::seconds(1)));
    }

protected:
    // With what is in `config` by the first use.
    ApiChannel& channel() {
        if (!channel_) channel_.emplace(io_.get_executor(), config, metrics);
        return *channel_;
    }
    HttpBackendApi& api(Patience patience = prompt) {
        if (!api_) api_.emplace(channel(), patience);
        return *api_;
    }

    template <class T>
    T wait(Task<T> task) {
        bool done = false;
        std::exception_ptr failure;
        if constexpr (std::is_void_v<T>) {
            asio::co_spawn(io_, std::move(task), [&](const std::exception_ptr& thrown) {
                failure = thrown;
                done = true;
            });
            run_until([&] { return done; });
            if (failure) std::rethrow_exception(failure);
        } else {
            std::optional<T> value;
            asio::co_spawn(io_, std::move(task), [&](const std::exception_ptr& thrown, T result) {
                failure = thrown;
                value = std::move(result);
                done = true;
            });
            run_until([&] { return done; });
            if (failure) std::rethrow_exception(failure);
            return *std::move(value);
        }
    }
    void run_until(const std::function<bool()>& condition) {
        const auto deadline = real_clock().steady() + std::chrono::seconds(20);
        io_.restart();
        while (!condition()) {
            ASSERT_LT(real_clock().steady(), deadline) << "took too long";
            io_.run_one_until(deadline);
        }
    }

    // From now on, after what `next` holds.
    void says(unsigned status, std::string body) {
        always = http::Response::json(status, std::move(body));
    }
    static http::Response limited(int seconds) {
        http::Response response =
            http::Response::json(429, R"({"errors":[{"code":"too_many_requests"}]})");
        response.headers.add("Retry-After", std::to_string(seconds));
        return response;
    }
    [[nodiscard]] bool has_metric(const std::string& line) const {
        return ("\n" + metrics.render()).contains("\n" + line + "\n");
    }

    BackendApiConfig config;
    MetricsRegistry metrics;
    std::deque<http::Response> next;  // answers of the first requests
    http::Response always = http::Response::json(200, "[]");
    std::chrono::milliseconds delay{0};  // before each answer
    std::vector<http::Request> asked;
    std::vector<SteadyTime> asked_at;
    int under_way = 0;
    int under_way_max = 0;
    asio::io_context io_;

private:
    Task<http::Response> answer(http::Request& request) {
        asked.push_back(request);
        asked_at.push_back(real_clock().steady());
        under_way_max = std::max(under_way_max, ++under_way);
        if (delay.count() > 0) co_await sleep(delay);
        --under_way;
        if (next.empty()) co_return always;
        http::Response response = std::move(next.front());
        next.pop_front();
        co_return response;
    }

    http::Router router_;
    http::Server server_{
        io_.get_executor(), {.listen = "127.0.0.1:0"}, router_, http::make_server_metrics(metrics)};
    std::optional<ApiChannel> channel_;
    std::optional<HttpBackendApi> api_;
};

}  // namespace rollcall::clerk
