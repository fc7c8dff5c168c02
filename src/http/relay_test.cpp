#include "http/relay.hpp"

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

class RelayTest : public RelayStand {};

TEST_F(RelayTest, PassesRequestAndAnswerOnOverKeptConnections) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(get("Accept: a\r\nAccept: b\r\nX-Request-Id: r1\r\n", "/a?b=c"));
        RawConnection upstream = co_await test.accepted();
        const std::string head = co_await upstream.read_until(head_end);
        EXPECT_THAT(head, StartsWith("GET /a?b=c HTTP/1.1\r\nHost: app\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nAccept: a\r\nAccept: b\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nX-Forwarded-For: 127.0.0.1\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nX-Forwarded-Proto: http\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nX-Forwarded-Host: app\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nX-Request-Id: r1\r\n"));
        EXPECT_THAT(head, Not(HasSubstr("Connection")));
        co_await upstream.send(answer("hello", "Set-Cookie: a\r\nSet-Cookie: b\r\nDate: then\r\n"));
        const std::string response = co_await client.read_response();
        EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\nDate: then\r\n"));
        EXPECT_THAT(response, HasSubstr("\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"));
        EXPECT_THAT(response, HasSubstr("\r\nX-Request-Id: r1\r\n"));
        EXPECT_THAT(response, EndsWith("\r\n\r\nhello"));
        for (int i = 0; i < 3; ++i) {
            co_await client.send(get());
            co_await upstream.read_until(head_end);
            co_await upstream.send(answer("again"));
            const std::string next = co_await client.read_response();
            EXPECT_THAT(next, EndsWith("again"));
        }
    }(*this));
}

TEST_F(RelayTest, ABodyGoesUpPieceByPiece) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(post("Content-Length: 10\r\n", "first"));
        RawConnection upstream = co_await test.accepted();
        const std::string head = co_await upstream.read_until(head_end);
        EXPECT_THAT(head, HasSubstr("\r\nContent-Length: 10\r\n"));
        co_await upstream.read_until("first");
        co_await client.send("other");
        co_await upstream.read_until("other");
        co_await upstream.send(answer("ok"));
        const std::string response = co_await client.read_response();
        EXPECT_THAT(response, EndsWith("ok"));
        EXPECT_THAT(response, Not(HasSubstr("Connection")));
    }(*this));
}

TEST_F(RelayTest, ChunksGoBothWaysAtOnce) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(post("Transfer-Encoding: chunked\r\n", "3;ext=1\r\none\r\n"));
        RawConnection upstream = co_await test.accepted();
        const std::string head = co_await upstream.read_until(head_end);
        EXPECT_THAT(head, HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
        EXPECT_THAT(head, Not(HasSubstr("Content-Length")));
        co_await upstream.read_until("3\r\none\r\n");
        co_await upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\necho");
        const std::string answered = co_await client.read_until("4\r\necho\r\n");
        EXPECT_THAT(answered, HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
        co_await client.send("3\r\ntwo\r\n0\r\nX-Trailer: 1\r\n\r\n");
        const std::string rest = co_await upstream.read_until("0\r\n\r\n");
        EXPECT_EQ(rest, "3\r\ntwo\r\n0\r\n\r\n");
        co_await upstream.send("\r\n0\r\nX-Trailer: 1\r\n\r\n");
        const std::string last = co_await client.read_until("0\r\n\r\n");
        EXPECT_EQ(last, "0\r\n\r\n");
    }(*this));
}

TEST_F(RelayTest, EventsArriveOneByOne) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(get());
        RawConnection upstream = co_await test.accepted();
        co_await upstream.read_until(head_end);
        co_await upstream.send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            "Transfer-Encoding: chunked\r\n\r\n");
        const std::string head = co_await client.read_until(head_end);
        EXPECT_THAT(head, HasSubstr("\r\nContent-Type: text/event-stream\r\n"));
        for (const char* event : {"data: 1\n\n", "data: 2\n\n", "data: 3\n\n"}) {
            co_await upstream.send("9\r\n" + std::string(event) + "\r\n");
            const std::string got = co_await client.read_until(event);
            EXPECT_EQ(got, "9\r\n" + std::string(event));
            co_await client.read_until("\r\n");
        }
    }(*this));
}

TEST_F(RelayTest, AnswersWithoutABody) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send("HEAD / HTTP/1.1\r\nHost: app\r\n\r\n");
        RawConnection upstream = co_await test.accepted();
        co_await upstream.read_until(head_end);
        co_await upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        const std::string head = co_await client.read_until(head_end);
        EXPECT_THAT(head, HasSubstr("\r\nContent-Length: 1000\r\n"));
        for (const char* status : {"204 No Content", "304 Not Modified"}) {
            co_await client.send(get());
            co_await upstream.read_until(head_end);
            co_await upstream.send("HTTP/1.1 " + std::string(status) + "\r\nETag: x\r\n\r\n");
            const std::string response = co_await client.read_until(head_end);
            EXPECT_THAT(response, StartsWith("HTTP/1.1 " + std::string(status)));
            EXPECT_THAT(response, Not(HasSubstr("Content-Length")));
            EXPECT_THAT(response, Not(HasSubstr("Transfer-Encoding")));
        }
        co_await client.send("HEAD / HTTP/1.1\r\nHost: app\r\n\r\n");
        co_await upstream.read_until(head_end);
        co_await upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        const std::string chunked = co_await client.read_until(head_end);
        EXPECT_THAT(chunked, Not(HasSubstr("Connection: close")));
        co_await client.send(get());
        co_await upstream.read_until(head_end);
        co_await upstream.send(answer("the next"));
        const std::string next = co_await client.read_response();
        EXPECT_THAT(next, EndsWith("the next"));
    }(*this));
}

TEST_F(RelayTest, AClientOfHttp10GetsNoChunks) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send("GET / HTTP/1.0\r\nHost: app\r\n\r\n");
        RawConnection upstream = co_await test.accepted();
        const std::string head = co_await upstream.read_until(head_end);
        EXPECT_THAT(head, StartsWith("GET / HTTP/1.1\r\n"));
        co_await upstream.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n");
        const std::string response = co_await client.read_to_end();
        EXPECT_THAT(response, Not(HasSubstr("Transfer-Encoding")));
        EXPECT_THAT(response, HasSubstr("\r\nConnection: close\r\n"));
        EXPECT_THAT(response, EndsWith("\r\n\r\nabcd"));
    }(*this));
}

TEST_F(RelayTest, AnUpstreamOfHttp10EndsItsBodyByClosing) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        for (int i = 0; i < 2; ++i) {
            co_await client.send(get());
            RawConnection upstream = co_await test.accepted();
            co_await upstream.read_until(head_end);
            co_await upstream.send("HTTP/1.0 200 OK\r\n\r\nold");
            co_await client.read_until("3\r\nold\r\n");
            upstream.close();
            co_await client.read_until("0\r\n\r\n");
        }
    }(*this));
}

TEST_F(RelayTest, PipelinedRequestsAreAnsweredInOrder) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(post("Content-Length: 3\r\n", "abc") +
                             post("Transfer-Encoding: chunked\r\n", "2\r\nde\r\n0\r\n\r\n") +
                             get("", "/third"));
        RawConnection upstream = co_await test.accepted();
        co_await upstream.read_until("abc");
        co_await upstream.send(answer("one"));
        co_await upstream.read_until("2\r\nde\r\n0\r\n\r\n");
        co_await upstream.send(answer("two"));
        const std::string third = co_await upstream.read_until(head_end);
        EXPECT_THAT(third, StartsWith("GET /third "));
        co_await upstream.send(answer("three"));
        for (const char* body : {"one", "two", "three"}) {
            const std::string response = co_await client.read_response();
            EXPECT_THAT(response, EndsWith(body));
        }
    }(*this));
}

TEST_F(RelayTest, AnEarlyAnswerEndsTheRequest) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(post("Content-Length: 1000000\r\n", "some"));
        RawConnection upstream = co_await test.accepted();
        co_await upstream.read_until("some");
        co_await upstream.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
        const std::string response = co_await client.read_response();
        EXPECT_THAT(response, StartsWith("HTTP/1.1 413 "));
        EXPECT_THAT(response, HasSubstr("\r\nConnection: close\r\n"));
        EXPECT_THAT(response, EndsWith("big"));
        const bool closed = co_await upstream.ended();
        EXPECT_TRUE(closed);
    }(*this));
}

TEST_F(RelayTest, AsksForABodyOnceTheUpstreamIsThere) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(post("Expect: 100-continue\r\nContent-Length: 2\r\n"));
        RawConnection upstream = co_await test.accepted();
        const std::string head = co_await upstream.read_until(head_end);
        EXPECT_THAT(head, Not(HasSubstr("Expect")));
        const std::string interim = co_await client.read_until(head_end);
        EXPECT_EQ(interim, "HTTP/1.1 100 Continue\r\n\r\n");
        co_await client.send("hi");
        co_await upstream.read_until("hi");
        co_await upstream.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer("done"));
        const std::string response = co_await client.read_response();
        EXPECT_THAT(response, StartsWith("HTTP/1.1 200 "));
        EXPECT_THAT(response, EndsWith("done"));
        EXPECT_THAT(response, Not(HasSubstr("Link")));
    }(*this));
}

// GHSA-w9mr-28mw-j8hg: what the proxy sets, no client has removed.
TEST_F(RelayTest, FieldsOfOneConnectionEndHereAndOwnOnesDoNot) {
    start_relay();
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(
            get("Connection: keep-alive, X-Own, X_Request_Id, X-Named\r\nX-Named: 1\r\n"
                "X-Own: forged\r\nX_Own: forged\r\nKeep-Alive: 1\r\nTE: trailers\r\n"
                "Proxy-Authorization: x\r\nTrailer: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
                "X-Stays: 1\r\n"));
        RawConnection upstream = co_await test.accepted();
        const std::string head = co_await upstream.read_until(head_end);
        EXPECT_THAT(head, HasSubstr("\r\nX-Stays: 1\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nX-Own: 1\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nX-Request-Id: "));
        for (const char* gone :
             {"X-Named", "forged", "Keep-Alive", "TE:", "Proxy-", "Trailer", "Upgrade", "HTTP2"}) {
            EXPECT_THAT(head, Not(HasSubstr(gone)));
        }
        co_await upstream.send(answer(
            "", "Connection: X-Inner\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\nX-Out: 1\r\n"));
        const std::string response = co_await client.read_response();
        EXPECT_THAT(response, HasSubstr("\r\nX-Out: 1\r\n"));
        EXPECT_THAT(response, Not(HasSubstr("X-Inner")));
        EXPECT_THAT(response, Not(HasSubstr("Keep-Alive")));
        co_await client.send(get("X-Own: forged\r\nx_own: forged\r\n"));
        const std::string next = co_await upstream.read_until(head_end);
        EXPECT_THAT(next, HasSubstr("\r\nX-Own: 1\r\n"));
        EXPECT_THAT(next, Not(HasSubstr("forged")));
    }(*this));
}

TEST_F(RelayTest, TheUpstreamsOwnHostWhereAsked) {
    start_relay({.pass_host = false});
    run([](RelayTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(get());
        RawConnection upstream = co_await test.accepted();
        const std::string head = co_await upstream.read_until(head_end);
        EXPECT_THAT(head, HasSubstr("\r\nHost: 127.0.0.1:" + std::to_string(test.port()) + "\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nX-Forwarded-Host: app\r\n"));
    }(*this));
}

// What neither side reads is not collected here.
TEST_F(RelayTest, HoldsNoAnswerBack) {
    start_relay({}, {.write_timeout = milliseconds(200)});
    run([](RelayTest& test) -> Task<> {
        constexpr std::size_t much = 64UL * 1024 * 1024;
        RawConnection client = co_await test.connected();
        co_await client.send(get());
        RawConnection upstream = co_await test.accepted();
        co_await upstream.read_until(head_end);
        const std::string body = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(much) +
                                 head_end + std::string(much, 'x');
        boost::system::error_code error;
        const std::size_t taken = co_await asio::async_write(upstream.socket(), asio::buffer(body),
                                                             asio::redirect_error(use_task, error));
        EXPECT_TRUE(error);  // the client's write limit ends it
        EXPECT_LT(taken, much / 2);
    }(*this));
}

TEST_F(RelayTest, HoldsNoRequestBack) {
    start_relay({.timeout = milliseconds(200)}, {.body_bytes_max = 1UL << 30});
    run([](RelayTest& test) -> Task<> {
        constexpr std::size_t much = 64UL * 1024 * 1024;
        RawConnection client = co_await test.connected();
        co_await client.send(post("Content-Length: " + std::to_string(much) + "\r\n"));
        RawConnection deaf = co_await test.accepted();
        const std::string body(much, 'x');
        boost::system::error_code error;
        const std::size_t taken = co_await asio::async_write(client.socket(), asio::buffer(body),
                                                             asio::redirect_error(use_task, error));
        EXPECT_TRUE(error);  // the upstream's limit ends it
        EXPECT_LT(taken, much / 2);
    }(*this));
}

TEST(ForwardingFields, OnlyATrustedProxyIsBelieved) {
    Request request{.remote_address = "10.0.0.1", .client_address = "192.0.2.7", .request_id = "r"};
    request.headers.add("Host", "app");
    request.headers.add("X-Forwarded-Proto", "HTTPS");
    request.headers.add("X-Forwarded-Host", "public.example");
    const Fields by_stranger = forwarding_fields(request, {});
    EXPECT_EQ(by_stranger.get("X-Forwarded-For"), "192.0.2.7");
    EXPECT_EQ(by_stranger.get("X-Forwarded-Proto"), "http");
    EXPECT_EQ(by_stranger.get("X-Forwarded-Host"), "app");
    const std::vector<std::string> networks{"10.0.0.0/8"};
    const auto trusted = *TrustedProxies::parse(networks);
    const Fields by_proxy = forwarding_fields(request, trusted);
    EXPECT_EQ(by_proxy.get("X-Forwarded-Proto"), "https");
    // What the request was judged by, and not what a proxy may have let through.
    EXPECT_EQ(by_proxy.get("X-Forwarded-Host"), "app");
    request.headers.add("X-Forwarded-Proto", "https");
    const Fields unclear = forwarding_fields(request, trusted);
    EXPECT_EQ(unclear.get("X-Forwarded-Proto"), "http");
}

TEST(RelayUpstream, HasNoPath) {
    for (const char* good : {"http://app:3000", "https://app.example.com", "http://[::1]:80/"}) {
        EXPECT_TRUE(check_relay_upstream(good).has_value()) << good;
    }
    for (const char* bad :
         {"", "app:3000", "http://app/x", "http://app/?x", "ftp://app", "http://a b"}) {
        EXPECT_FALSE(check_relay_upstream(bad).has_value()) << bad;
    }
}

}  // namespace
}  // namespace rollcall::http
