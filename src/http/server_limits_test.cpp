// What happens at a server's edges: too many connections, no descriptors, draining, the end.
#include "base/wakeup.hpp"
#include "http/loopback_test.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace rollcall::http {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* get_request = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr const char* wait_request = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";

class ServerLimitsTest : public LoopbackTest {
public:
    ServerLimitsTest() : gate_(io_.get_executor()) {
        router_.add({"GET"}, "/x",
                    [](Request&) -> Task<Response> { co_return Response::text(200, "x"); });
        router_.add({"GET"}, "/wait", [this](Request&) -> Task<Response> {
            ++waiting_;
            co_await gate_.wait(std::chrono::hours(1));
            co_return Response::text(200, "waited");
        });
    }

    Wakeup gate_;
    int waiting_ = 0;
};

TEST_F(ServerLimitsTest, ConnectionsOverTheLimitGet503) {
    start({.connections_max = 2});
    run([](ServerLimitsTest& test) -> Task<> {
        RawConnection first = co_await test.connected();
        RawConnection second = co_await test.connected();
        for (RawConnection* connection : {&first, &second}) {
            co_await connection->send(get_request);
            co_await connection->read_response();
        }
        RawConnection third = co_await test.connected();
        const std::string response = co_await third.read_to_end();
        EXPECT_THAT(response, StartsWith("HTTP/1.1 503 "));
        EXPECT_THAT(response, EndsWith(R"({"error":"Service unavailable"})"));
        // Those that were there go on.
        co_await first.send(get_request);
        const std::string again = co_await first.read_response();
        EXPECT_THAT(again, HasSubstr("200 OK"));
    }(*this));
}

TEST_F(ServerLimitsTest, TheLongestIdleConnectionMakesRoom) {
    start({.connections_max = 2});
    run([](ServerLimitsTest& test) -> Task<> {
        RawConnection oldest = co_await test.connected();
        co_await oldest.send(get_request);
        co_await oldest.read_response();
        RawConnection other = co_await test.connected();
        co_await other.send(wait_request);
        for (;;) {  // until the idle one was idle for long enough
            RawConnection next = co_await test.connected();
            co_await next.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            const std::string response = co_await next.read_to_end();
            if (response.starts_with("HTTP/1.1 200 ")) break;
            co_await sleep(milliseconds(20));
        }
        const bool ended = co_await oldest.ended();
        EXPECT_TRUE(ended);
        test.gate_.wake();
        const std::string response = co_await other.read_response();
        EXPECT_THAT(response, EndsWith("waited"));
    }(*this));
}

// A client that was answered may be sending its next request just now.
TEST_F(ServerLimitsTest, WhoNeverSaidAnythingMakesRoomFirst) {
    start({.connections_max = 2});
    run([](ServerLimitsTest& test) -> Task<> {
        RawConnection kept = co_await test.connected();
        co_await kept.send(get_request);
        co_await kept.read_response();
        RawConnection silent = co_await test.connected();
        for (;;) {  // until the silent one was silent for long enough
            RawConnection next = co_await test.connected();
            co_await next.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            const std::string response = co_await next.read_to_end();
            if (response.starts_with("HTTP/1.1 200 ")) break;
            co_await sleep(milliseconds(20));
        }
        const bool ended = co_await silent.ended();
        EXPECT_TRUE(ended);
        co_await kept.send(get_request);
        const std::string again = co_await kept.read_response();
        EXPECT_THAT(again, HasSubstr("200 OK"));
    }(*this));
}

// fault 42
TEST_F(ServerLimitsTest, WithoutDescriptorsItWaitsAndDoesNotSpin) {
    start();
    const log::Capture capture;
    // What sanitizers ask the system for, they ask now.
    const boost::system::error_code error(EMFILE, boost::system::system_category());
    log::info("first", {{"reason", error.message()}});
    RawConnection connection(io_.get_executor());
    run(connection.connect(server_->port()));
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlim_t before = limit.rlim_cur;
    const int next = dup(2);  // the lowest free number is the limit from now on
    close(next);
    limit.rlim_cur = static_cast<rlim_t>(next);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    run(sleep(milliseconds(250)));
    limit.rlim_cur = before;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);

    std::size_t failures = 0;
    for (std::size_t at = 0;
         (at = capture.text().find("http_accept_failed", at)) != std::string_view::npos; ++at) {
        ++failures;
    }
    EXPECT_GE(failures, 1U);
    EXPECT_LE(failures, 4U);
    run([](RawConnection& late) -> Task<> {
        co_await late.send(get_request);
        const std::string response = co_await late.read_response();
        EXPECT_THAT(response, HasSubstr("200 OK"));
    }(connection));
}

TEST_F(ServerLimitsTest, DrainClosesIdleOnesAndFinishesTheRest) {
    start();
    run([](ServerLimitsTest& test) -> Task<> {
        RawConnection idle = co_await test.connected();
        co_await idle.send(get_request);
        co_await idle.read_response();
        RawConnection silent = co_await test.connected();
        RawConnection reading = co_await test.connected();
        co_await reading.send("GET /x HT");
        RawConnection busy = co_await test.connected();
        co_await busy.send(wait_request);
        while (test.waiting_ == 0) co_await sleep(milliseconds(1));

        const unsigned short port = test.server_->port();
        bool drained = false;
        asio::co_spawn(test.io_.get_executor(), test.server_->drain(std::chrono::hours(1)),
                       [&](const std::exception_ptr&) { drained = true; });
        const bool idle_ended = co_await idle.ended();
        const bool silent_ended = co_await silent.ended();
        EXPECT_TRUE(idle_ended);
        EXPECT_TRUE(silent_ended);
        EXPECT_FALSE(drained);
        boost::system::error_code refused;
        RawConnection late(test.io_.get_executor());
        co_await late.socket().async_connect({asio::ip::address_v4::loopback(), port},
                                             asio::redirect_error(use_task, refused));
        EXPECT_EQ(refused, asio::error::connection_refused);

        co_await reading.send("TP/1.1\r\nHost: a\r\n\r\n");
        const std::string read = co_await reading.read_to_end();
        EXPECT_THAT(read, StartsWith("HTTP/1.1 200 "));
        EXPECT_THAT(read, HasSubstr("\r\nConnection: close\r\n"));
        test.gate_.wake();
        const std::string finished = co_await busy.read_to_end();
        EXPECT_THAT(finished, HasSubstr("\r\nConnection: close\r\n"));
        EXPECT_THAT(finished, EndsWith("waited"));
        reading.close();
        busy.close();
        while (!drained) co_await sleep(milliseconds(1));
    }(*this));
}

TEST_F(ServerLimitsTest, DrainEndsAtItsLimit) {
    start();
    run([](ServerLimitsTest& test) -> Task<> {
        RawConnection busy = co_await test.connected();
        co_await busy.send(wait_request);
        while (test.waiting_ == 0) co_await sleep(milliseconds(1));
        co_await test.server_->drain(milliseconds(20));
        const bool ended = co_await busy.ended();
        EXPECT_TRUE(ended);
        co_await test.server_->drain(milliseconds(1));
    }(*this));
    gate_.wake();  // the handler ends after its connection, and nothing happens
    run(sleep(milliseconds(5)));
}

TEST_F(ServerLimitsTest, TwoDrainsBothEnd) {
    start();
    run([](ServerLimitsTest& test) -> Task<> {
        RawConnection busy = co_await test.connected();
        co_await busy.send(wait_request);
        while (test.waiting_ == 0) co_await sleep(milliseconds(1));
        int drained = 0;
        for (int i = 0; i < 2; ++i) {
            asio::co_spawn(test.io_.get_executor(), test.server_->drain(std::chrono::hours(1)),
                           [&](const std::exception_ptr&) { ++drained; });
        }
        test.gate_.wake();
        const std::string response = co_await busy.read_to_end();
        EXPECT_THAT(response, EndsWith("waited"));
        busy.close();
        while (drained < 2) co_await sleep(milliseconds(1));
    }(*this));
}

TEST_F(ServerLimitsTest, EndsInAnyState) {
    start();
    run([](ServerLimitsTest& test) -> Task<> {
        RawConnection busy = co_await test.connected();
        co_await busy.send(wait_request);
        while (test.waiting_ == 0) co_await sleep(milliseconds(1));
    }(*this));
    server_.reset();
    gate_.wake();
    run(sleep(milliseconds(5)));
    // And again, with the loop going first (in the fixture's destructor).
    start();
    run([](ServerLimitsTest& test) -> Task<> {
        RawConnection busy = co_await test.connected();
        co_await busy.send(wait_request);
        while (test.waiting_ == 1) co_await sleep(milliseconds(1));
        spawn(test.io_.get_executor(), "drain", test.server_->drain(std::chrono::hours(1)));
        co_await sleep(milliseconds(5));
    }(*this));
}

TEST_F(ServerLimitsTest, SaysWhatIsWrongWithAnAddress) {
    for (const char* listen :
         {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999", "example.com:80",
          "[localhost]:80", "::1:80", "[127.0.0.1]:80", "127.0.0.1:-1", "192.0.2.1:0"}) {
        Server server(io_.get_executor(), {.listen = listen}, router_,
                      make_server_metrics(registry_));
        const auto started = server.start();
        ASSERT_FALSE(started.has_value()) << listen;
        EXPECT_EQ(started.error().code, ErrorCode::bad_configuration);
        EXPECT_THAT(started.error().message, HasSubstr(listen));
    }
}

TEST_F(ServerLimitsTest, LocalhostIsAnAddressToo) {
    Server server(io_.get_executor(), {.listen = "localhost:0"}, router_,
                  make_server_metrics(registry_));
    EXPECT_TRUE(server.start().has_value());
    EXPECT_NE(server.port(), 0);
}

TEST_F(ServerLimitsTest, AnAddressInUseIsSaid) {
    start();
    const std::string listen = "127.0.0.1:" + std::to_string(server_->port());
    Server second(io_.get_executor(), {.listen = listen}, router_, make_server_metrics(registry_));
    const auto started = second.start();
    ASSERT_FALSE(started.has_value());
    EXPECT_THAT(started.error().message, HasSubstr("in use"));
}

}  // namespace
}  // namespace rollcall::http
