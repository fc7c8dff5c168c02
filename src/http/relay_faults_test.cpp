// The relay where one of its two sides is away, slow, breaks off or cannot be read.
#include "http/relay_stand_test.hpp"

#include <gmock/gmock.h>

namespace rollcall::http {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string head_end = "\r\n\r\n";

class RelayFaultsTest : public RelayStand {};

TEST_F(RelayFaultsTest, AnUpstreamThatIsNotThereIs502) {
    start_relay();
    upstream_.close();
    const std::string response = talk(get("Connection: close\r\n"));
    EXPECT_THAT(response, StartsWith("HTTP/1.1 502 Bad Gateway\r\n"));
    EXPECT_THAT(response, EndsWith(R"({"error":"Bad Gateway"})"));
}

TEST_F(RelayFaultsTest, AnswersThatCanBeReadInTwoWaysAre502) {
    start_relay();
    run([](RelayFaultsTest& test) -> Task<> {
        for (const char* bytes :
             {"", "rubbish\r\n\r\n",
              "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
              "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
              "HTTP/1.1 999 Odd\r\n\r\n", "HTTP/1.1 200 OK\r\n"}) {
            RawConnection client = co_await test.connected();
            co_await client.send(get());
            RawConnection upstream = co_await test.accepted();
            co_await upstream.read_until(head_end);
            co_await upstream.send(bytes);
            upstream.close();
            const std::string response = co_await client.read_response();
            EXPECT_THAT(response, StartsWith("HTTP/1.1 502 ")) << bytes;
        }
    }(*this));
}

TEST_F(RelayFaultsTest, ASlowUpstreamIs504) {
    start_relay({.timeout = milliseconds(30)});
    run([](RelayFaultsTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(post("Content-Length: 2\r\n", "hi"));
        RawConnection upstream = co_await test.accepted();
        const std::string response = co_await client.read_response();
        EXPECT_THAT(response, StartsWith("HTTP/1.1 504 Gateway Timeout\r\n"));
        co_await upstream.read_until("hi");
        const bool closed = co_await upstream.ended();
        EXPECT_TRUE(closed);
    }(*this));
}

// Slower than the upstream's limit is only the client.
TEST_F(RelayFaultsTest, TheUpstreamsTimeRunsOnceItHasTheRequest) {
    start_relay({.timeout = std::chrono::seconds(1)});
    run([](RelayFaultsTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(post("Content-Length: 4\r\n"));
        RawConnection upstream = co_await test.accepted();
        for (const char* byte : {"a", "b", "c", "d"}) {
            co_await sleep(milliseconds(300));
            co_await client.send(byte);
        }
        co_await upstream.read_until("abcd");
        co_await upstream.send(answer("in time"));
        const std::string response = co_await client.read_response();
        EXPECT_THAT(response, EndsWith("in time"));
    }(*this));
}

TEST_F(RelayFaultsTest, AnAnswerThatBreaksOffEndsTheClientsConnection) {
    start_relay();
    run([](RelayFaultsTest& test) -> Task<> {
        for (const char* bytes :
             {"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nsome",
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\nx\r\n"}) {
            RawConnection client = co_await test.connected();
            co_await client.send(get());
            RawConnection upstream = co_await test.accepted();
            co_await upstream.read_until(head_end);
            co_await upstream.send(bytes);
            upstream.close();
            const std::string response = co_await client.read_to_end();
            EXPECT_THAT(response, HasSubstr("some"));
            EXPECT_THAT(response, Not(HasSubstr("0\r\n\r\n")));
        }
    }(*this));
}

TEST_F(RelayFaultsTest, AnUpstreamThatStopsInTheMiddleIsNotWaitedForForEver) {
    start_relay({.timeout = std::chrono::seconds(1)});
    run([](RelayFaultsTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(get());
        RawConnection upstream = co_await test.accepted();
        co_await upstream.read_until(head_end);
        co_await upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nsome");
        const std::string response = co_await client.read_to_end();
        EXPECT_THAT(response, EndsWith("some"));
        const bool closed = co_await upstream.ended();
        EXPECT_TRUE(closed);
    }(*this));
}

TEST_F(RelayFaultsTest, AClientOfHttp10SeesThatItsAnswerBrokeOff) {
    start_relay();
    run([](RelayFaultsTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send("GET / HTTP/1.0\r\nHost: app\r\n\r\n");
        RawConnection upstream = co_await test.accepted();
        co_await upstream.read_until(head_end);
        co_await upstream.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n");
        co_await client.read_until("some");
        upstream.close();
        char byte = 0;
        boost::system::error_code error;
        co_await client.socket().async_read_some(asio::buffer(&byte, 1),
                                                 asio::redirect_error(use_task, error));
        EXPECT_EQ(error, asio::error::connection_reset);
    }(*this));
}

TEST_F(RelayFaultsTest, AClientThatGoesEndsTheUpstreamsExchange) {
    start_relay();
    run([](RelayFaultsTest& test) -> Task<> {
        const std::string chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n";
        const std::pair<std::string, std::string> stages[] = {
            {get(), ""},                                   // waits for the answer
            {post("Content-Length: 10\r\n", "some"), ""},  // in its body
            {post("Transfer-Encoding: chunked\r\n"), ""},
            {get(), chunked},  // in the answer
        };
        for (const auto& [request, bytes] : stages) {
            RawConnection client = co_await test.connected();
            co_await client.send(request);
            RawConnection upstream = co_await test.accepted();
            co_await upstream.read_until(head_end);
            if (!bytes.empty()) {
                co_await upstream.send(bytes);
                co_await client.read_until("some");
            }
            client.close();
            co_await upstream.read_to_end();  // comes to an end
        }
    }(*this));
}

TEST_F(RelayFaultsTest, AKeptConnectionThatHadDiedIsReplacedOnceWhereThatIsSafe) {
    start_relay();
    run([](RelayFaultsTest& test) -> Task<> {
        const auto kept = [](RelayFaultsTest& t, RawConnection& client) -> Task<RawConnection> {
            co_await client.send(get());
            RawConnection upstream = co_await t.accepted();
            co_await upstream.read_until(head_end);
            co_await upstream.send(answer("kept"));
            co_await client.read_response();
            co_return upstream;
        };
        RawConnection client = co_await test.connected();
        {
            RawConnection stale = co_await kept(test, client);
            co_await client.send(get());
            co_await stale.read_until(head_end);
            stale.close();
            RawConnection fresh = co_await test.accepted();
            co_await fresh.read_until(head_end);
            co_await fresh.send(answer("again", "Connection: close\r\n"));
            const std::string response = co_await client.read_response();
            EXPECT_THAT(response, EndsWith("again"));
        }
        const std::string put = "PUT / HTTP/1.1\r\nHost: app\r\nContent-Length: 2\r\n\r\nhi";
        for (const std::string& unsafe : {post("Content-Length: 2\r\n", "hi"), post(""), put}) {
            RawConnection stale = co_await kept(test, client);
            co_await client.send(unsafe);
            co_await stale.read_until(head_end);
            stale.close();
            const std::string response = co_await client.read_response();
            EXPECT_THAT(response, StartsWith("HTTP/1.1 502 "));
        }
        // A fresh one is not tried again.
        co_await client.send(get());
        RawConnection fresh = co_await test.accepted();
        co_await fresh.read_until(head_end);
        fresh.close();
        const std::string response = co_await client.read_response();
        EXPECT_THAT(response, StartsWith("HTTP/1.1 502 "));
    }(*this));
}

TEST_F(RelayFaultsTest, ABodyThatCannotBeReadIsTheClientsFault) {
    start_relay({}, {.body_bytes_max = 1000, .body_timeout = milliseconds(30)});
    run([](RelayFaultsTest& test) -> Task<> {
        const std::pair<std::string, std::string> cases[] = {
            {post("Transfer-Encoding: chunked\r\n", "x\r\n"), "400"},
            {post("Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n"), "400"},
            {post("Transfer-Encoding: chunked\r\n",
                  "3e8\r\n" + std::string(1000, 'a') + "\r\n1\r\n"),
             "413"},
            {post("Content-Length: 10\r\n", "slow"), "408"},
        };
        for (const auto& [request, status] : cases) {
            RawConnection client = co_await test.connected();
            co_await client.send(request);
            RawConnection upstream = co_await test.accepted();
            const std::string response = co_await client.read_response();
            EXPECT_THAT(response, StartsWith("HTTP/1.1 " + status)) << request;
            EXPECT_THAT(response, HasSubstr("\r\nConnection: close\r\n"));
            co_await upstream.read_to_end();
        }
    }(*this));
    EXPECT_THAT(talk(post("Content-Length: 1001\r\n")), StartsWith("HTTP/1.1 413 "));
}

}  // namespace
}  // namespace rollcall::http
