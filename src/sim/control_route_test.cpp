#include "sim/control_route.hpp"

#include <gtest/gtest.h>

namespace rollcall::sim {
namespace {

bool allowed(std::string_view host, std::string_view origin = {}) {
    http::Request request;
    if (!host.empty()) request.headers.set("Host", host);
    if (!origin.empty()) request.headers.set("Origin", origin);
    return from_this_machine(request);
}

TEST(FromThisMachine, TakesOnlyLoopbackHosts) {
    EXPECT_TRUE(allowed("127.0.0.1:8787"));
    EXPECT_TRUE(allowed("localhost:8787"));
    EXPECT_TRUE(allowed("[::1]:8787"));
    EXPECT_FALSE(allowed(""));
    EXPECT_FALSE(allowed("rebound.example:8787"));
    EXPECT_FALSE(allowed("127.0.0.1.rebound.example"));
    EXPECT_FALSE(allowed("[::1"));
}

TEST(FromThisMachine, TakesOnlyPagesOfThisMachine) {
    EXPECT_TRUE(allowed("localhost", "http://localhost:5173"));
    EXPECT_FALSE(allowed("localhost", "https://evil.example"));
    EXPECT_FALSE(allowed("localhost", "http://localhost.evil.example"));
    EXPECT_FALSE(allowed("localhost", "null"));
}

}  // namespace
}  // namespace rollcall::sim
