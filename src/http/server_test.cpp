#include "http/loopback_test.hpp"

#include "base/wakeup.hpp"
#include "http/hang_up.hpp"

#include <gmock/gmock.h>

namespace rollcall::http {
namespace {

using std::chrono::milliseconds;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Task<Response> echo(Request& request) {
    co_return Response::text(200, request.method + " " + request.target + " " + request.body);
}

Task<Response> slow_echo(Request& request) {
    co_await sleep(milliseconds(2));
    co_return Response::text(200, request.body);
}

Task<Response> unavailable(Request&) {
    co_await sleep(milliseconds(1));
    throw Unavailable("the database is away");
}

Task<Response> breaks(Request&) {
    co_await sleep(milliseconds(1));
    throw std::runtime_error("a defect");
}

Task<Response> throws_odd_things(Request&) {
    co_await sleep(milliseconds(1));
    throw 7;
}

Task<Response> splits(Request&) {
    Response response = Response::text(200, "x");
    response.headers.add("X", "a\r\nSet-Cookie: b");
    co_return response;
}

Task<Response> closes(Request&) {
    Response response = Response::text(200, "bye");
    response.headers.add("Connection", "close");
    co_return response;
}

Task<Response> hangs_up(Request&) {
    Response response = Response::text(200, "never sent");
    response.status = hang_up;
    co_return response;
}

Task<Response> tells_peer(Request& request) {
    co_return Response::text(200, request.remote_address + " " + request.request_id);
}

class ServerTest : public LoopbackTest {
public:
    ServerTest() {
        router_.add({"GET", "POST"}, "/echo", echo);
        router_.add({"POST"}, "/slow", slow_echo);
        router_.add({"GET"}, "/unavailable", unavailable);
        router_.add({"GET"}, "/breaks", breaks);
        router_.add({"GET"}, "/odd", throws_odd_things);
        router_.add({"GET"}, "/splits", splits);
        router_.add({"GET"}, "/closes", closes);
        router_.add({"GET"}, "/hangs-up", hangs_up);
        router_.add({"GET"}, "/peer", tells_peer);
        router_.add({"GET"}, "/users/{id}", echo);
    }

    static std::string get(const std::string& target, const std::string& fields = "") {
        return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    }
    static std::string last(const std::string& target, const std::string& fields = "") {
        return get(target, fields + "Connection: close\r\n");
    }
    static std::string post(const std::string& target, const std::string& body) {
        return "POST " + target +
               " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }
};

TEST_F(ServerTest, Answers) {
    start();
    const std::string response = talk(last("/echo?a=b", "X-Request-Id: abc-1\r\n"));
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
    EXPECT_THAT(response, ContainsRegex("Date: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} "
                                        "[0-9]{2}:[0-9]{2}:[0-9]{2} GMT\r\n"));
    EXPECT_THAT(response, HasSubstr("\r\nContent-Length: 14\r\n"));
    EXPECT_THAT(response, HasSubstr("\r\nX-Request-Id: abc-1\r\n"));
    EXPECT_THAT(response, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(response, Not(HasSubstr("Server:")));
    EXPECT_THAT(response, EndsWith("\r\n\r\nGET /echo?a=b "));
}

TEST_F(ServerTest, KnowsThePeerAndMakesRequestIds) {
    start();
    EXPECT_THAT(talk(last("/peer")),
                ContainsRegex("\r\n\r\n127.0.0.1 [0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-"));
    const std::string odd = talk(last("/peer", "X-Request-Id: a b\r\n"));
    EXPECT_THAT(odd, Not(HasSubstr("a b")));
}

TEST_F(ServerTest, UnknownPathsAndMethods) {
    start();
    const std::string missing = talk(last("/nothing"));
    EXPECT_THAT(missing, StartsWith("HTTP/1.1 404 "));
    EXPECT_THAT(missing, EndsWith(R"({"error":"Not found"})"));
    const std::string method = talk("PUT /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(method, StartsWith("HTTP/1.1 405 "));
    EXPECT_THAT(method, HasSubstr("\r\nAllow: GET, HEAD, POST\r\n"));
    EXPECT_THAT(talk("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                StartsWith("HTTP/1.1 404 "));
}

TEST_F(ServerTest, HeadHasTheLengthAndNoBody) {
    start();
    const std::string response =
        talk("HEAD /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(response, HasSubstr("\r\nContent-Length: 11\r\n"));
    EXPECT_THAT(response, EndsWith("\r\n\r\n"));
}

TEST_F(ServerTest, Http10IsClosedAfterTheAnswer) {
    start();
    const std::string response = talk("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK"));
    EXPECT_THAT(response, HasSubstr("Connection: close"));
}

TEST_F(ServerTest, KeepsTheConnection) {
    start();
    run([](ServerTest& test) -> Task<> {
        RawConnection connection = co_await test.connected();
        for (int i = 0; i < 5; ++i) {
            const std::string body(static_cast<std::size_t>(i) * 10'000, 'x');
            co_await connection.send(post("/echo", body));
            const std::string response = co_await connection.read_response();
            EXPECT_THAT(response, HasSubstr("200 OK"));
            EXPECT_THAT(response, Not(HasSubstr("Connection:")));
            EXPECT_THAT(response, EndsWith("POST /echo " + body));
        }
    }(*this));
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
    start();
    std::string requests;
    for (int i = 0; i < 50; ++i) requests += post("/slow", "<" + std::to_string(i) + ">");
    const std::string responses = talk(requests + last("/echo"));
    std::size_t at = 0;
    for (int i = 0; i < 50; ++i) {
        at = responses.find("<" + std::to_string(i) + ">", at);
        ASSERT_NE(at, std::string::npos) << i;
    }
}

TEST_F(ServerTest, ReadsARequestByteByByte) {
    start();
    run([](ServerTest& test) -> Task<> {
        RawConnection connection = co_await test.connected();
        for (const char c : post("/echo", "hello")) co_await connection.send(std::string(1, c));
        const std::string response = co_await connection.read_response();
        EXPECT_THAT(response, EndsWith("POST /echo hello"));
    }(*this));
}

TEST_F(ServerTest, ReadsChunksAndBigHeads) {
    start();
    EXPECT_THAT(talk("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                     "Connection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
                EndsWith("POST /echo abcde"));
    EXPECT_THAT(talk(last("/echo", "X-Big: " + std::string(43'000, 'x') + "\r\n")),
                StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(talk(last("/echo", "X-Big: " + std::string(45'500, 'x') + "\r\n")),
                StartsWith("HTTP/1.1 431 "));
}

TEST_F(ServerTest, TellsAWaitingClientToContinue) {
    start();
    run([](ServerTest& test) -> Task<> {
        RawConnection connection = co_await test.connected();
        co_await connection.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        const std::string interim = co_await connection.read_response(/*with_body=*/false);
        EXPECT_EQ(interim, "HTTP/1.1 100 Continue\r\n\r\n");
        co_await connection.send("hello");
        const std::string response = co_await connection.read_response();
        EXPECT_THAT(response, EndsWith("POST /echo hello"));
    }(*this));
    EXPECT_THAT(talk("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n"
                     "Expect: 100-continue\r\n\r\n"),
                StartsWith("HTTP/1.1 413 "));
}

TEST_F(ServerTest, RefusesAndCloses) {
    start();
    const std::vector<std::pair<std::string, std::string>> cases{
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
         "chunked\r\n\r\n",
         "400"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
         "400"},
        {"GET /echo HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", "400"},
        {"GET /echo HTTP/1.1\nHost: a\n\n", "400"},
        {"GET /echo HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", "400"},
        {"GET /echo HTTP/1.1\r\n\r\n", "400"},
        {"G@T /echo HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET /ec\\ho HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET /echo HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
        {"\x16\x03\x01\x02\x01\x01", "400"},
    };
    for (const auto& [bytes, status] : cases) {
        const std::string response = talk(bytes);
        EXPECT_THAT(response, StartsWith("HTTP/1.1 " + status + " ")) << bytes;
        EXPECT_THAT(response, HasSubstr("Connection: close")) << bytes;
    }
}

TEST_F(ServerTest, NothingAfterARefusedRequestIsServed) {
    start();
    const std::string response =
        talk("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n" +
             get("/echo"));
    EXPECT_THAT(response, StartsWith("HTTP/1.1 400 "));
    EXPECT_EQ(response.find("HTTP/1.1", 1), std::string::npos);
}

TEST_F(ServerTest, ATooLargeBodyIsRefusedBeforeItComes) {
    start({.body_bytes_max = 1000});
    EXPECT_THAT(talk("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n"),
                StartsWith("HTTP/1.1 413 "));
    // The answer arrives even while the client still sends.
    EXPECT_THAT(talk(post("/echo", std::string(500'000, 'x'))), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(talk("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "400\r\n" +
                     std::string(500, 'x')),
                StartsWith("HTTP/1.1 413 "));
}

// fault 9
TEST_F(ServerTest, SilentAndSlowClientsAreCut) {
    start({.header_timeout = milliseconds(40), .body_timeout = milliseconds(40)});
    EXPECT_EQ(talk(""), "");
    EXPECT_THAT(talk("GET /echo HT"), StartsWith("HTTP/1.1 408 "));
    EXPECT_THAT(talk("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell"),
                StartsWith("HTTP/1.1 408 "));
}

TEST_F(ServerTest, DrippingDoesNotStretchALimit) {
    start({.header_timeout = milliseconds(60), .body_timeout = milliseconds(60)});
    for (const std::string begin :
         {"", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"}) {
        const std::string response =
            run([](ServerTest& test, std::string first) -> Task<std::string> {
                RawConnection connection = co_await test.connected();
                co_await connection.send(first);
                boost::system::error_code error;
                while (!error && connection.socket().available() == 0) {
                    co_await asio::async_write(connection.socket(), asio::buffer("x", 1),
                                               asio::redirect_error(use_task, error));
                    co_await sleep(milliseconds(5));
                }
                co_return co_await connection.read_to_end();
            }(*this, begin));
        EXPECT_THAT(response, StartsWith("HTTP/1.1 408 "));
    }
}

TEST_F(ServerTest, IdleConnectionsAreClosedWithoutAWord) {
    start({.idle_timeout = milliseconds(40)});
    EXPECT_EQ(talk(""), "");
    const std::string response = talk(get("/echo"));
    EXPECT_THAT(response, EndsWith("GET /echo "));
}

TEST_F(ServerTest, AClientThatDoesNotReadIsCut) {
    router_.add({"GET"}, "/huge", [](Request&) -> Task<Response> {
        co_return Response::text(200, std::string(64 * 1024 * 1024, 'x'));
    });
    start({.write_timeout = milliseconds(50)});
    run([](ServerTest& test) -> Task<> {
        RawConnection connection = co_await test.connected();
        co_await connection.send(get("/huge"));
        // Counted when the answer was written or given up.
        const std::string counted = R"(route="/huge"} 1)";
        while (test.registry_.render().find(counted) == std::string::npos) {
            co_await sleep(milliseconds(5));
        }
        const std::string received = co_await connection.read_to_end();
        EXPECT_LT(received.size(), 64U * 1024 * 1024);
    }(*this));
}

TEST_F(ServerTest, ABigAnswerArrivesWhole) {
    router_.add({"GET"}, "/big", [](Request&) -> Task<Response> {
        co_return Response::text(200, std::string(8 * 1024 * 1024, 'x') + "end");
    });
    start();
    const std::string response = talk(last("/big"));
    EXPECT_THAT(response, HasSubstr("Content-Length: 8388611\r\n"));
    EXPECT_THAT(response.substr(response.size() - 4), "xend");
    EXPECT_GT(response.size(), 8U * 1024 * 1024);
}

TEST_F(ServerTest, HandlersThatThrowAreAnswered) {
    start();
    const log::Capture capture;
    const std::string away = talk(last("/unavailable"));
    EXPECT_THAT(away, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(away, HasSubstr("\r\nRetry-After: 5\r\n"));
    EXPECT_THAT(away, EndsWith(R"({"error":"Service unavailable"})"));
    EXPECT_THAT(capture.text(), HasSubstr(R"("event":"http_request_unavailable")"));
    for (const char* path : {"/breaks", "/odd", "/splits"}) {
        const std::string broken = talk(last(path));
        EXPECT_THAT(broken, StartsWith("HTTP/1.1 500 ")) << path;
        EXPECT_THAT(broken, EndsWith(R"({"error":"Internal error"})"));
        EXPECT_THAT(broken, Not(HasSubstr("Set-Cookie")));
    }
    EXPECT_THAT(talk(last("/echo")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, AHandlerMayCloseTheConnection) {
    start();
    EXPECT_THAT(talk(get("/closes")), HasSubstr("Connection: close\r\n"));
}

TEST_F(ServerTest, AHandlerMayHangUpWithoutAWord) {
    start();
    EXPECT_EQ(talk(get("/hangs-up")), "");
    EXPECT_THAT(talk(last("/echo")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, AClientThatLeavesWhileItsRequestIsHandledDoesNoHarm) {
    Wakeup gate(io_.get_executor());
    int handled = 0;
    router_.add({"GET"}, "/wait", [&](Request&) -> Task<Response> {
        co_await gate.wait(std::chrono::hours(1));
        ++handled;
        co_return Response::text(200, std::string(1'000'000, 'x'));
    });
    start();
    const std::string in_flight = R"(rollcall_http_in_flight_requests{listener="public"} )";
    run([](ServerTest& test, std::string flying) -> Task<> {
        RawConnection connection = co_await test.connected();
        co_await connection.send(get("/wait"));
        while (test.registry_.render().find(flying + "1") == std::string::npos) {
            co_await sleep(milliseconds(1));
        }
        connection.close();
    }(*this, in_flight));
    gate.wake();
    run_until([&] { return handled == 1; });
    EXPECT_THAT(talk(last("/echo")), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(registry_.render(), HasSubstr(in_flight + "0"));
}

TEST_F(ServerTest, CountsByPatternNotByPath) {
    start();
    talk(last("/users/user_1"));
    talk(last("/users/user_2"));
    talk(last("/secret/path"));
    talk("BREW /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    talk("garbage\r\n\r\n");
    const std::string page = registry_.render();
    const auto count = [&](const std::string& route, const std::string& method,
                           const std::string& code, int value) {
        EXPECT_THAT(page, HasSubstr("rollcall_http_requests_total{code=\"" + code +
                                    "\",listener=\"public\",method=\"" + method + "\",route=\"" +
                                    route + "\"} " + std::to_string(value) + "\n"));
    };
    count("/users/{id}", "GET", "200", 2);
    count("other", "GET", "404", 1);
    count("/echo", "other", "405", 1);
    count("other", "other", "400", 1);
    count("/slow", "POST", "200", 0);
    EXPECT_THAT(page, Not(HasSubstr("secret")));
    EXPECT_THAT(page, Not(HasSubstr("BREW")));
    EXPECT_THAT(
        page, HasSubstr(R"(rollcall_http_request_duration_seconds_count{route="/users/{id}"} 2)"));
    EXPECT_THAT(page,
                HasSubstr(R"(rollcall_http_request_size_bytes_count{route="/users/{id}"} 2)"));
}

}  // namespace
}  // namespace rollcall::http
