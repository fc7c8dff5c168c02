// What a server does about those who show nothing: limits by address, by proxy, over all.
#include "http/loopback_test.hpp"

#include <gmock/gmock.h>

namespace rollcall::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t large = 65 * 1024;

TrustedProxies this_machine() {
    const std::vector<std::string> networks{"127.0.0.1"};
    return TrustedProxies::parse(networks).value();
}

std::string post(const std::string& path, std::size_t size, const std::string& more = "") {
    return "POST " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + more +
           "Content-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x');
}

class ServerGuardTest : public LoopbackTest {
public:
    ServerGuardTest() {
        router_.add({"POST"}, "/secret", [this](Request& request) -> Task<Response> {
            handled_ += request.client_address + " ";
            auto limited = guard_->failed(request.client_address);
            co_return limited.value_or(Response::text(401, "no"));
        });
    }

    void start_guarded(const GuardConfig& guard, ServerConfig config = {}) {
        guard_.emplace(guard, real_clock(), registry_);
        config.guard = &*guard_;
        start(std::move(config));
    }
    [[nodiscard]] std::string status_of(const std::string& request) {
        const std::string response = talk(request);
        EXPECT_THAT(response, StartsWith("HTTP/1.1 "));
        return response.substr(9, 3);
    }

    std::optional<AddressGuard> guard_;
    std::string handled_;  // for whom
};

TEST_F(ServerGuardTest, WhatNoRouteTakesMeetsTheOverallLimit) {
    start_guarded({.requests_per_second = 0.001, .requests_burst = 2});
    EXPECT_EQ(status_of("GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "404");
    EXPECT_EQ(status_of("GET /secret HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "405");
    const std::string third = talk("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(third, StartsWith("HTTP/1.1 429 "));
    EXPECT_THAT(third, HasSubstr("\r\nRetry-After: "));
    EXPECT_THAT(third, EndsWith(R"({"error":"Too Many Requests"})"));
}

TEST_F(ServerGuardTest, ALimitedAddressIsRefusedBeforeItsBodyIsRead) {
    start_guarded({.failures_per_minute = 0.001, .failures_burst = 1});
    EXPECT_EQ(status_of(post("/secret", large)), "401");
    const std::string refused = talk(
        "POST /secret HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 900000\r\n"
        "\r\n");
    EXPECT_THAT(refused, StartsWith("HTTP/1.1 429 "));
    EXPECT_THAT(refused, HasSubstr("\r\nRetry-After: "));
    EXPECT_THAT(refused, HasSubstr("\r\nConnection: close\r\n"));
    // In chunks: once it has sent as much.
    std::string chunks = "POST /secret HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t sent = 0; sent < large; sent += 1024) {
        chunks += "400\r\n" + std::string(1024, 'x') + "\r\n";
    }
    EXPECT_THAT(talk(chunks), StartsWith("HTTP/1.1 429 "));
    EXPECT_EQ(handled_, "127.0.0.1 ");
    // What may be a delivery is read: whether it verifies is not known before.
    EXPECT_EQ(status_of(post("/secret", 60 * 1024)), "429");
    EXPECT_EQ(handled_, "127.0.0.1 127.0.0.1 ");
}

TEST_F(ServerGuardTest, BehindATrustedProxyTheClientIsLimitedAndNotTheProxy) {
    start_guarded({.failures_per_minute = 0.001, .failures_burst = 1},
                  {.trusted_proxies = this_machine()});
    const std::string one = "X-Forwarded-For: 203.0.113.1\r\n";
    const std::string other = "X-Forwarded-For: 198.51.100.7, 203.0.113.2\r\n";
    EXPECT_EQ(status_of(post("/secret", 1, one)), "401");
    EXPECT_EQ(status_of(post("/secret", 1, one)), "429");
    EXPECT_EQ(status_of(post("/secret", 1, other)), "401");
    EXPECT_EQ(status_of(post("/secret", large, one)), "429");
    EXPECT_EQ(handled_, "203.0.113.1 203.0.113.1 203.0.113.2 ");
}

TEST_F(ServerGuardTest, WithoutATrustedProxyNobodyChoosesAnAddress) {
    start_guarded({.failures_per_minute = 0.001, .failures_burst = 1});
    EXPECT_EQ(status_of(post("/secret", 1, "X-Forwarded-For: 203.0.113.1\r\n")), "401");
    EXPECT_EQ(status_of(post("/secret", 1, "X-Forwarded-For: 203.0.113.2\r\n")), "429");
    EXPECT_EQ(handled_, "127.0.0.1 127.0.0.1 ");
}

constexpr const char* get_nothing = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_F(ServerGuardTest, OneAddressHasSoManyConnections) {
    start({.connections_per_address_max = 2});
    run([](ServerGuardTest& test) -> Task<> {
        RawConnection first = co_await test.connected();
        RawConnection second = co_await test.connected();
        for (RawConnection* connection : {&first, &second}) {
            co_await connection->send(get_nothing);
            co_await connection->read_response();
        }
        RawConnection third = co_await test.connected();
        const std::string response = co_await third.read_to_end();
        EXPECT_THAT(response, StartsWith("HTTP/1.1 503 "));
        // Another address still gets one.
        RawConnection other = co_await test.connected_from("127.0.0.2");
        co_await other.send(get_nothing);
        co_await other.read_response();
        // A place that is given back is there again.
        first.close();
        for (;;) {
            RawConnection next = co_await test.connected();
            co_await next.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            const std::string answer = co_await next.read_to_end();
            if (answer.starts_with("HTTP/1.1 404 ")) break;
        }
    }(*this));
    EXPECT_THAT(
        registry_.render(),
        HasSubstr(R"(rollcall_http_refused_total{listener="public",reason="connections"})"));
}

TEST_F(ServerGuardTest, ATrustedProxyHasAsManyAsThereAre) {
    start({.connections_per_address_max = 1, .trusted_proxies = this_machine()});
    run([](ServerGuardTest& test) -> Task<> {
        RawConnection first = co_await test.connected();
        RawConnection second = co_await test.connected();
        for (RawConnection* connection : {&first, &second}) {
            co_await connection->send(get_nothing);
            const std::string response = co_await connection->read_response();
            EXPECT_THAT(response, StartsWith("HTTP/1.1 404 "));
        }
    }(*this));
}

}  // namespace
}  // namespace rollcall::http
