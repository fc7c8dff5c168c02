// Over a loopback socket: what is really asked of Clerk.
#include "clerk/backend_api.hpp"

#include "base/clock.hpp"
#include "http/server.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <optional>
#include <string>

namespace rollcall::clerk {
namespace {

class BackendApiTest : public testing::Test {
protected:
    BackendApiTest() {
        router_.add({"GET"}, "/v1/users/{id}",
                    [this](http::Request& request) { return answer(request); });
        EXPECT_TRUE(server_.start());
    }
    ~BackendApiTest() override { wait(server_.drain(std::chrono::seconds(1))); }

    template <class T>
    T wait(Task<T> task) {
        bool done = false;
        std::exception_ptr failure;
        if constexpr (std::is_void_v<T>) {
            asio::co_spawn(io_, std::move(task), [&](const std::exception_ptr& thrown) {
                failure = thrown;
                done = true;
            });
            run_until(done);
            if (failure) std::rethrow_exception(failure);
        } else {
            std::optional<T> value;
            asio::co_spawn(io_, std::move(task), [&](const std::exception_ptr& thrown, T result) {
                failure = thrown;
                value = std::move(result);
                done = true;
            });
            run_until(done);
            if (failure) std::rethrow_exception(failure);
            return *std::move(value);
        }
    }
    Result<std::optional<User>> get(std::string_view id, const std::string& slashes = "") {
        HttpBackendApi api(client_,
                           {.url = "http://127.0.0.1:" + std::to_string(server_.port()) + slashes,
                            .secret_key = Secret("sk_test_of_the_tests"),
                            .timeout = std::chrono::milliseconds(2000)});
        return wait(api.get_user(id));
    }

    http::Response response_ = http::Response::json(200, R"({"object":"user","id":"user_a"})");
    std::optional<http::Request> asked_;

private:
    Task<http::Response> answer(http::Request& request) {
        asked_ = request;
        co_return response_;
    }
    void run_until(const bool& done) {
        const auto deadline = real_clock().steady() + std::chrono::seconds(10);
        io_.restart();
        while (!done && io_.run_one_until(deadline) > 0) {
        }
        ASSERT_TRUE(done);
    }

    asio::io_context io_;
    MetricsRegistry metrics_;
    http::Router router_;
    http::Server server_{io_.get_executor(),
                         {.listen = "127.0.0.1:0"},
                         router_,
                         http::make_server_metrics(metrics_)};
    http::Client client_{io_.get_executor()};
};

TEST_F(BackendApiTest, AsksAsClerkWantsToBeAsked) {
    const auto user = get("user_a", "/");
    ASSERT_TRUE(user);
    ASSERT_TRUE(*user);
    EXPECT_EQ((*user)->id, "user_a");
    ASSERT_TRUE(asked_);
    EXPECT_EQ(asked_->target, "/v1/users/user_a");
    EXPECT_EQ(asked_->headers.get("Authorization"), "Bearer sk_test_of_the_tests");
    EXPECT_EQ(asked_->headers.get("Clerk-API-Version"), "2026-05-12");
}

TEST_F(BackendApiTest, AnIdStaysOneSegmentWhateverItHolds) {
    response_ = http::Response::json(200, R"({"id":"a/../b?c=%2e#ü"})");
    EXPECT_TRUE(get("a/../b?c=%2e#ü"));
    ASSERT_TRUE(asked_);
    EXPECT_EQ(asked_->target, "/v1/users/a%2F..%2Fb%3Fc%3D%252e%23%C3%BC");
}

TEST_F(BackendApiTest, WhatCannotBeAnIdIsNotAsked) {
    for (const std::string& id :
         {std::string(), std::string("."), std::string(".."), std::string("a\nb"),
          std::string("a\0", 2), std::string(256, 'a')}) {
        const auto user = get(id);
        ASSERT_FALSE(user);
        EXPECT_EQ(user.error().code, ErrorCode::invalid_input);
    }
    EXPECT_FALSE(asked_);
}

TEST_F(BackendApiTest, RefusalsDoNotRepeatTheKey) {
    response_ = http::Response::json(401, R"({"errors":[{"code":"clerk_key_invalid"}]})");
    const auto user = get("user_a");
    ASSERT_FALSE(user);
    EXPECT_EQ(user.error().code, ErrorCode::unauthenticated);
    EXPECT_EQ(user.error().message.find("sk_test"), std::string::npos);
}

}  // namespace
}  // namespace rollcall::clerk
