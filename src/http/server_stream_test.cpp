#include "http/server_stream.hpp"

#include "http/loopback_test.hpp"

#include <gmock/gmock.h>

namespace rollcall::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ServerStreamTest : public LoopbackTest {
public:
    void answer_with(StreamHandler handler, ServerConfig config = {}) {
        router_.add_stream("streams", std::move(handler));
        start(std::move(config));
    }
    static std::string post(const std::string& fields, const std::string& body) {
        return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
    }
};

Task<std::optional<Response>> refuses(ServerStream&) {
    co_return Response::text(403, "no");
}

const std::string last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

TEST_F(ServerStreamTest, AnAnswerWithoutReadingTheBody) {
    answer_with(refuses);
    const std::string small = talk(post("Content-Length: 5\r\n", "hello") + last);
    EXPECT_THAT(small, StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(small, HasSubstr("noHTTP/1.1 403 "));  // the connection was kept
    for (const std::string& request : {post("Content-Length: 70000\r\n", "hello"),
                                       post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"),
                                       post("Expect: 100-continue\r\nContent-Length: 5\r\n", "")}) {
        const std::string response = talk(request);
        EXPECT_THAT(response, StartsWith("HTTP/1.1 403 ")) << request;
        EXPECT_THAT(response, HasSubstr("\r\nConnection: close\r\n")) << request;
        EXPECT_THAT(response, EndsWith("no"));
    }
}

TEST_F(ServerStreamTest, WhatAHandlerThrowsIsAnswered) {
    answer_with([](ServerStream& stream) -> Task<std::optional<Response>> {
        if (stream.request().path == "/begun") {
            co_await stream.begin({.status = 200, .headers = {}, .body = {}},
                                  {.kind = Framing::Kind::chunks});
            co_await stream.write("half");
        }
        throw Unavailable("away");
    });
    const std::string away = talk(last);
    EXPECT_THAT(away, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(away, HasSubstr("\r\nRetry-After: 5\r\n"));
    const std::string begun = talk("GET /begun HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(begun, EndsWith("4\r\nhalf\r\n"));
}

TEST_F(ServerStreamTest, AnAnswerShorterThanAnnouncedBreaksTheConnection) {
    answer_with([](ServerStream& stream) -> Task<std::optional<Response>> {
        co_await stream.begin({.status = 200, .headers = {}, .body = {}},
                              {.kind = Framing::Kind::length, .length = 10});
        co_await stream.write("short");
        const bool ended = co_await stream.end();
        EXPECT_FALSE(ended);
        co_return std::nullopt;
    });
    const std::string response = talk("GET / HTTP/1.1\r\nHost: a\r\n\r\n" + last);
    EXPECT_THAT(response, EndsWith("\r\n\r\nshort"));
}

TEST_F(ServerStreamTest, ReadsABodyToItsEndAndThenNothing) {
    answer_with([](ServerStream& stream) -> Task<std::optional<Response>> {
        std::string body;
        for (;;) {
            const auto piece = co_await stream.read();
            if (!piece) co_return stream.refusal(piece.error());
            if (piece->empty()) break;
            body += *piece;
        }
        const auto again = co_await stream.read();
        EXPECT_TRUE(again.has_value() && again->empty());
        co_return Response::text(200, body);
    });
    const std::string big(100'000, 'b');
    const std::string response =
        talk(post("Content-Length: 100000\r\n", big) +
             post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") + last);
    EXPECT_THAT(response, HasSubstr("\r\n\r\n" + big + "HTTP/1.1 "));
    EXPECT_THAT(response, HasSubstr("\r\n\r\nabcde"));
    EXPECT_THAT(talk(post("Transfer-Encoding: chunked\r\n", "z\r\n")), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(talk(post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "")),
                StartsWith("HTTP/1.1 400 "));
}

TEST_F(ServerStreamTest, AConnectionThatIsKeptForStreamsCanBeDrained) {
    answer_with(refuses);
    run([](ServerStreamTest& test) -> Task<> {
        RawConnection idle = co_await test.connected();
        co_await idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        const std::string response = co_await idle.read_response();
        EXPECT_THAT(response, Not(HasSubstr("Connection")));
        co_await test.server_->drain(std::chrono::hours(1));
        const bool ended = co_await idle.ended();
        EXPECT_TRUE(ended);
    }(*this));
}

}  // namespace
}  // namespace rollcall::http
