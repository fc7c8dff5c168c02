#include "http/request_parser.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace rollcall::http {
namespace {

using Phase = RequestParser::Phase;
using namespace std::string_literals;

constexpr RequestParser::Limits small{.header_bytes_max = 1024, .body_bytes_max = 100};

// What became of `bytes`, sent `step` at a time.
struct Outcome {
    Phase phase = Phase::start;
    unsigned status = 0;
    std::string reason;
    Request request;
    bool keep_alive = false;
    std::string rest;
};

Outcome parse_in_steps(const std::string& bytes, std::size_t step) {
    RequestParser parser(small);
    std::string unread;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        unread += bytes.substr(at, step);
        unread.erase(0, parser.parse(unread));
    }
    return {.phase = parser.phase(),
            .status = parser.refusal().status,
            .reason = std::string(parser.refusal().reason),
            .request = parser.request(),
            .keep_alive = parser.keep_alive(),
            .rest = unread};
}

// The same however the bytes arrive.
Outcome parse(const std::string& bytes) {
    Outcome whole = parse_in_steps(bytes, bytes.size());
    for (const std::size_t step : {1U, 2U, 3U, 7U}) {
        const Outcome slow = parse_in_steps(bytes, step);
        EXPECT_EQ(slow.phase, whole.phase) << bytes;
        EXPECT_EQ(slow.reason, whole.reason) << bytes;
        EXPECT_EQ(slow.request.body, whole.request.body) << bytes;
        EXPECT_EQ(slow.request.target, whole.request.target) << bytes;
    }
    return whole;
}

std::string get(const std::string& fields) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string post(const std::string& fields, const std::string& body) {
    return "POST /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

TEST(RequestParser, ReadsARequest) {
    const Outcome got = parse(
        "POST /a/b?x=1&y HTTP/1.1\r\nHost: example.com:8080\r\nsvix-id:msg_1\r\n"
        "X-Two: \t b c \t\r\nX-Empty:\r\nContent-Length: 5\r\n\r\nhello");
    ASSERT_EQ(got.phase, Phase::complete) << got.reason;
    EXPECT_EQ(got.request.method, "POST");
    EXPECT_EQ(got.request.target, "/a/b?x=1&y");
    EXPECT_EQ(got.request.path, "/a/b");
    EXPECT_EQ(got.request.query, "x=1&y");
    EXPECT_EQ(got.request.headers.get("SVIX-ID"), "msg_1");
    EXPECT_EQ(got.request.headers.get("x-two"), "b c");
    EXPECT_EQ(got.request.headers.get("x-empty"), "");
    EXPECT_EQ(got.request.body, "hello");
    EXPECT_TRUE(got.keep_alive);
    EXPECT_EQ(got.rest, "");
}

TEST(RequestParser, KeepsTheBodysExactBytes) {
    const std::string body("\0\r\n\xFF \"\\\n", 8);
    const Outcome got = parse(post("Content-Length: 8\r\n", body));
    ASSERT_EQ(got.phase, Phase::complete);
    EXPECT_EQ(got.request.body, body);
}

TEST(RequestParser, ReadsChunks) {
    const Outcome got = parse(post("Transfer-Encoding: CHUNKED\r\n",
                                   "5\r\nhello\r\n00a;x=\"y\"\r\n, world 12\r\n1\r\n!\r\n"
                                   "0\r\nX-Trailer: 1\r\n\r\n"));
    ASSERT_EQ(got.phase, Phase::complete) << got.reason;
    EXPECT_EQ(got.request.body, "hello, world 12!");
    EXPECT_EQ(got.request.headers.get("X-Trailer"), std::nullopt);
}

TEST(RequestParser, LeavesTheNextRequestAlone) {
    RequestParser parser(small);
    std::string unread = get("") + post("Content-Length: 2\r\n", "ab") + get("") + "GE";
    for (const char* path : {"/", "/x", "/"}) {
        unread.erase(0, parser.parse(unread));
        ASSERT_EQ(parser.phase(), Phase::complete);
        EXPECT_EQ(parser.request().path, path);
        EXPECT_EQ(parser.request().headers.count("host"), 1U);
        parser.restart();
        EXPECT_EQ(parser.phase(), Phase::start);
    }
    unread.erase(0, parser.parse(unread));
    EXPECT_EQ(parser.phase(), Phase::head);
    EXPECT_EQ(unread, "GE");
}

TEST(RequestParser, OneEmptyLineBeforeARequestIsIgnored) {
    EXPECT_EQ(parse("\r\n" + get("")).phase, Phase::complete);
    EXPECT_EQ(parse("\r\n\r\n" + get("")).status, 400U);
}

TEST(RequestParser, RefusesWhatTwoReadersCouldTakeForTwoThings) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", ""), "length_and_coding"},
        {post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", ""), "length_and_coding"},
        {post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), "two_lengths"},
        {post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), "two_lengths"},
        {post("Content-Length: 5, 5\r\n", "hello"), "bad_content_length"},
        {post("Content-Length: +5\r\n", "hello"), "bad_content_length"},
        {post("Content-Length: -5\r\n", "hello"), "bad_content_length"},
        {post("Content-Length: 0x5\r\n", "hello"), "bad_content_length"},
        {post("Content-Length: 5 5\r\n", "hello"), "bad_content_length"},
        {post("Content-Length:\r\n", "hello"), "bad_content_length"},
        {post("Content-Length : 5\r\n", "hello"), "bad_field_name"},
        {post("Content-Length\t: 5\r\n", "hello"), "bad_field_name"},
        {post(" Content-Length: 5\r\n", "hello"), "folded_field"},
        {post("X: a\r\n b\r\n", ""), "folded_field"},
        {post("X: a\r\n\tContent-Length: 5\r\n", ""), "folded_field"},
        {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""),
         "bad_transfer_coding"},
        {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_transfer_coding"},
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", "bare_line_feed"},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", "bare_line_feed"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\n", "bare_line_feed"},
        {"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "bad_version"},
        {get("X: a\rb\r\n"), "bad_field_value"},
        {get("X: a\r\r\n"), "bad_field_value"},
        {get("X: a\0b\r\n"s), "bad_field_value"},
        {get("X: a\x7f\r\n"), "bad_field_value"},
        {get("X: a\x1b\r\n"), "bad_field_value"},
        {get(": a\r\n"), "bad_field_name"},
        {get("no colon\r\n"), "bad_field_name"},
        {get("X\0Y: a\r\n"s), "bad_field_name"},
        {get("X\x80: a\r\n"), "bad_field_name"},
        {get("X(y): a\r\n"), "bad_field_name"},
    };
    for (const auto& [bytes, reason] : cases) {
        const Outcome got = parse(bytes);
        EXPECT_EQ(got.reason, reason) << bytes;
        EXPECT_EQ(got.status, 400U) << bytes;
        EXPECT_FALSE(got.keep_alive);
    }
}

TEST(RequestParser, RefusesUnknownTransferCodings) {
    for (const char* value : {"gzip, chunked", "chunked, gzip", "identity", "xchunked", "",
                              "chunked;q=1", "\"chunked\"", "chun ked", "chunked, chunked"}) {
        const Outcome got = parse(post("Transfer-Encoding: "s + value + "\r\n", ""));
        EXPECT_EQ(got.status, 501U) << value;
    }
}

TEST(RequestParser, RefusesBadRequestLines) {
    for (const char* line :
         {"GET /", "GET", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1",
          "GET /a b HTTP/1.1", "GET\t/ HTTP/1.1", "G@T / HTTP/1.1", "GET / http/1.1",
          "GET / HTTP/1", "GET / HTTP/11", "GET / HTP/1.1", "GET / HTTP/1.1x", "GET  HTTP/1.1",
          "\x16\x03\x01", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1"}) {
        const Outcome got = parse(line + "\r\nHost: a\r\n\r\n"s);
        EXPECT_EQ(got.status, 400U) << line;
    }
}

TEST(RequestParser, RefusesOtherVersions) {
    for (const char* version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0"}) {
        EXPECT_EQ(parse("GET / "s + version + "\r\nHost: a\r\n\r\n").status, 505U) << version;
    }
    EXPECT_EQ(parse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status, 505U);
}

TEST(RequestParser, RefusesBadTargets) {
    for (const char* target : {"x",
                               "a/b",
                               "\\",
                               "/a\\b",
                               "/a#b",
                               "/a?b#c",
                               "/\"",
                               "/<",
                               "/{a}",
                               "/|",
                               "/^",
                               "/`",
                               "/a\x80",
                               "/a\x7f",
                               "/%",
                               "/%4",
                               "/%zz",
                               "/a%2",
                               "/?a\x80",
                               "*",
                               "ftp://a/",
                               "http:///x",
                               "//",
                               "http://",
                               "http://u\\@a/",
                               "example.com:443",
                               "http://a b/",
                               "http:a"}) {
        const Outcome got = parse("GET "s + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
        if (std::string_view(target) == "//") {
            EXPECT_EQ(got.phase, Phase::complete);  // odd, but a path
        } else {
            EXPECT_EQ(got.status, 400U) << target;
        }
    }
}

TEST(RequestParser, TakesTheOtherTargetForms) {
    EXPECT_EQ(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").request.path, "*");
    Outcome got = parse("GET http://Example.com:80/a?b=c HTTP/1.1\r\nHost: example.com:80\r\n\r\n");
    ASSERT_EQ(got.phase, Phase::complete) << got.reason;
    EXPECT_EQ(got.request.target, "/a?b=c");
    EXPECT_EQ(got.request.path, "/a");
    EXPECT_EQ(got.request.query, "b=c");
    got = parse("GET https://a?b HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(got.request.target, "/?b");
    got = parse("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(got.request.path, "/");
    EXPECT_EQ(parse("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n").reason, "bad_host");
    EXPECT_EQ(parse("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n").status, 400U);
}

TEST(RequestParser, WantsOneHost) {
    EXPECT_EQ(parse("GET / HTTP/1.1\r\n\r\n").reason, "bad_host");
    EXPECT_EQ(parse(get("Host: a\r\n")).reason, "bad_host");
    EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost:\r\n\r\n").reason, "bad_host");
    EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").reason, "bad_host");
    EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n").reason, "bad_host");
    EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n").reason, "bad_host");
    EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n").phase, Phase::complete);
    EXPECT_EQ(parse("GET / HTTP/1.0\r\n\r\n").phase, Phase::complete);
}

TEST(RequestParser, KnowsWhenTheConnectionEnds) {
    EXPECT_TRUE(parse(get("")).keep_alive);
    EXPECT_TRUE(parse(get("Connection: keep-alive\r\n")).keep_alive);
    EXPECT_FALSE(parse(get("Connection: close\r\n")).keep_alive);
    EXPECT_FALSE(parse(get("Connection: x, Close ,y\r\n")).keep_alive);
    EXPECT_TRUE(parse(get("Connection: closed\r\n")).keep_alive);
    EXPECT_FALSE(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
}

TEST(RequestParser, RefusesABodyOverTheLimitBeforeReadingIt) {
    EXPECT_EQ(parse(post("Content-Length: 101\r\n", "")).status, 413U);
    EXPECT_EQ(parse(post("Content-Length: 99999999999999999999999\r\n", "")).status, 413U);
    EXPECT_EQ(parse(post("Content-Length: 100\r\n", std::string(100, 'x'))).phase, Phase::complete);
    const std::string chunk = "32\r\n" + std::string(50, 'x') + "\r\n";
    EXPECT_EQ(parse(post("Transfer-Encoding: chunked\r\n", chunk + chunk + "0\r\n\r\n")).phase,
              Phase::complete);
    EXPECT_EQ(parse(post("Transfer-Encoding: chunked\r\n", chunk + chunk + "1\r\n")).status, 413U);
    EXPECT_EQ(parse(post("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFF\r\n")).status, 413U);
}

TEST(RequestParser, RefusesBadChunks) {
    for (const char* body :
         {"\r\n", "x\r\n", " 5\r\nhello\r\n", "5\nhello\r\n", "5\r\nhellox\r\n", "5\r\nhello\n",
          "5 x\r\nhello\r\n", "0x5\r\n", "-1\r\n", "11111111111111111\r\n", "5;a\rb\r\n",
          "5\r\nhello\rx", "0\r\n folded\r\n\r\n", "0\r\nbad\r\n\r\n", "0\r\n\n"}) {
        EXPECT_EQ(parse(post("Transfer-Encoding: chunked\r\n", body)).status, 400U) << body;
    }
    const std::string extension(300, 'x');
    EXPECT_EQ(parse(post("Transfer-Encoding: chunked\r\n", "5;" + extension)).status, 400U);
}

TEST(RequestParser, LimitsTheHead) {
    EXPECT_EQ(parse(get("X: " + std::string(2000, 'x') + "\r\n")).status, 431U);
    EXPECT_EQ(parse("GET /" + std::string(2000, 'x')).status, 431U);
    std::string many;
    for (int i = 0; i < 200; ++i) many += "X: 1\r\n";
    EXPECT_EQ(parse(get(many)).status, 431U);
    std::string trailers;
    for (int i = 0; i < 200; ++i) trailers += "X: 1\r\n";
    EXPECT_EQ(parse(post("Transfer-Encoding: chunked\r\n", "0\r\n" + trailers)).status, 431U);
    RequestParser roomy({.header_bytes_max = 100'000, .body_bytes_max = 1});
    std::string fields;
    for (int i = 0; i < 129; ++i) fields += "X: 1\r\n";
    roomy.parse(get(fields));
    EXPECT_EQ(roomy.refusal().reason, "too_many_fields");
}

TEST(RequestParser, TellsOnceWhenTheClientWaits) {
    RequestParser parser(small);
    std::string unread = post("Content-Length: 5\r\nExpect: 100-Continue\r\n", "");
    unread.erase(0, parser.parse(unread));
    ASSERT_EQ(parser.phase(), Phase::body);
    EXPECT_TRUE(parser.take_expect_continue());
    EXPECT_FALSE(parser.take_expect_continue());
    EXPECT_EQ(parse(post("Expect: something\r\n", "")).status, 417U);

    RequestParser early(small);
    early.parse(post("Content-Length: 5\r\nExpect: 100-continue\r\n", "he"));
    EXPECT_FALSE(early.take_expect_continue());
}

TEST(RequestParser, TakesSaneRequestIds) {
    EXPECT_EQ(parse(get("X-Request-Id: abc-1.2_3:4/5+6=\r\n")).request.request_id,
              "abc-1.2_3:4/5+6=");
    EXPECT_EQ(parse(get("X-Request-Id: a b\r\n")).request.request_id, "");
    EXPECT_EQ(parse(get("X-Request-Id: <x>\r\n")).request.request_id, "");
    EXPECT_EQ(parse(get("X-Request-Id: " + std::string(129, 'x') + "\r\n")).request.request_id, "");
}

TEST(RequestParser, RestartForgetsEverything) {
    RequestParser parser(small);
    parser.parse(post("Content-Length: 5\r\nConnection: close\r\nX-Request-Id: 1\r\n", "hello"));
    ASSERT_EQ(parser.phase(), Phase::complete);
    parser.restart();
    parser.parse(get(""));
    ASSERT_EQ(parser.phase(), Phase::complete);
    EXPECT_TRUE(parser.keep_alive());
    EXPECT_EQ(parser.request().body, "");
    EXPECT_EQ(parser.request().request_id, "");
    EXPECT_EQ(parser.request().headers.all().size(), 1U);
}

// What goes on piece by piece is the same request, and is refused for the same reasons.
TEST(RequestParser, InPiecesItStopsBehindTheHeadAndBehindEachPiece) {
    RequestParser parser({.header_bytes_max = 1000, .body_bytes_max = 9, .in_pieces = true});
    std::string unread =
        post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n");
    const auto step = [&] {
        const std::size_t taken = parser.parse(unread);
        const std::string piece(parser.piece());
        unread.erase(0, taken);
        return piece;
    };
    EXPECT_EQ(step(), "");
    EXPECT_EQ(parser.phase(), Phase::body);
    EXPECT_TRUE(parser.chunked());
    EXPECT_EQ(step(), "abc");
    EXPECT_EQ(step(), "de");
    EXPECT_EQ(step(), "");
    EXPECT_EQ(parser.phase(), Phase::complete);
    EXPECT_EQ(parser.request().body, "");
    EXPECT_EQ(parser.body_bytes(), 5U);

    for (const auto& [body, status] : {std::pair{"5\r\nabcde\r\n5\r\n", 413U}, {"x\r\n", 400U}}) {
        parser.restart();
        unread = post("Transfer-Encoding: chunked\r\n", body);
        while (parser.phase() != Phase::refused) (void)step();
        EXPECT_EQ(parser.refusal().status, status);
    }
}

}  // namespace
}  // namespace rollcall::http
