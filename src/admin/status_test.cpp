#include "admin/status.hpp"

#include "base/result.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

namespace rollcall::admin {
namespace {

TEST(Status, APartThatCannotBeHadIsNull) {
    Status status;
    status.add("gone", []() -> Task<std::string> {
        throw Unavailable("the database went away");
        co_return "";
    });
    status.add("there", []() -> Task<std::string> { co_return "1"; });
    http::Router router;
    status.add_routes(router, Secret("token-1"));
    http::Request request;
    request.method = "GET";
    request.path = "/statusz";
    request.headers.add("Authorization", "Bearer token-1");
    asio::io_context io;
    auto answered = asio::co_spawn(io, router.routes().front().handler(request), asio::use_future);
    io.run();
    const http::Response answer = answered.get();
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.body, R"({"gone":null,"there":1})");
}

}  // namespace
}  // namespace rollcall::admin
