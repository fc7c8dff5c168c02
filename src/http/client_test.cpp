#include "http/client.hpp"

#include "base/wakeup.hpp"
#include "http/loopback_test.hpp"

#include <gmock/gmock.h>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <vector>

namespace rollcall::http {
namespace {

using std::chrono::milliseconds;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

// Answers each request with the next of some fixed texts, whatever was asked. An empty text closes
// the connection without an answer; one that starts with '!' is sent and then the connection
// closed.
class Script {
public:
    Script(Executor executor, std::vector<std::string> answers)
        : executor_(executor),
          acceptor_(executor, {asio::ip::address_v4::loopback(), 0}),
          answers_(std::move(answers)) {
        spawn(executor, "script", serve());
    }

    [[nodiscard]] std::string url(const std::string& target = "/") const {
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + target;
    }
    void stop() { acceptor_.close(); }

    int connections = 0;
    std::vector<std::string> requests;

private:
    Task<> serve() {
        boost::system::error_code error;
        while (acceptor_.is_open()) {
            Socket socket = co_await acceptor_.async_accept(asio::redirect_error(use_task, error));
            if (error) break;
            ++connections;
            spawn(executor_, "script connection", answer(std::move(socket)));
        }
    }
    Task<> answer(Socket socket) {
        std::string received(16 * 1024, '\0');
        boost::system::error_code error;
        for (;;) {
            const std::size_t count = co_await socket.async_read_some(
                asio::buffer(received), asio::redirect_error(use_task, error));
            if (error) co_return;
            requests.push_back(received.substr(0, count));
            if (next_ >= answers_.size()) continue;  // never answers
            const std::string text = answers_[next_++];
            if (text.empty()) co_return;
            const bool last = text.front() == '!';
            co_await asio::async_write(socket, asio::buffer(text.substr(last ? 1 : 0)),
                                       asio::redirect_error(use_task, error));
            if (last) co_return;
        }
    }

    Executor executor_;
    Acceptor acceptor_;
    std::vector<std::string> answers_;
    std::size_t next_ = 0;
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ClientTest : public LoopbackTest {
public:
    void make_client(ClientConfig config = {}) {
        client_.emplace(io_.get_executor(), std::move(config));
    }
    Response send(ClientRequest request) {
        if (!client_) make_client();
        return run(client_->send(std::move(request)));
    }
    std::string failure(ClientRequest request) {
        try {
            send(std::move(request));
        } catch (const Unavailable& away) {
            return away.what();
        }
        return "no failure";
    }

    std::optional<Client> client_;
};

TEST_F(ClientTest, SendsAndReceives) {
    router_.add({"POST"}, "/echo", [](Request& request) -> Task<Response> {
        Response response = Response::text(418, request.body + "|" + request.query + "|" +
                                                    std::string(*request.headers.get("X-In")));
        response.headers.add("X-Out", "1");
        response.headers.add("X-Out", "2");
        co_return response;
    });
    start();
    ClientRequest request{
        .method = "POST",
        .url = "http://localhost:" + std::to_string(server_->port()) + "/echo?q=1",
        .headers = {},
        .body = "body"};
    request.headers.add("X-In", "in");
    const Response response = send(std::move(request));
    EXPECT_EQ(response.status, 418U);
    EXPECT_EQ(response.body, "body|q=1|in");
    EXPECT_EQ(response.headers.count("x-out"), 2U);
}

TEST_F(ClientTest, WritesWhatIsNeededAndNothingElse) {
    Script peer(io_.get_executor(), {ok, ok});
    ClientRequest request{.url = peer.url("/a?b#c")};
    request.headers.add("Host", "evil");
    request.headers.add("Content-Length", "7");
    send(std::move(request));
    const std::string host = peer.url("").substr(7);
    EXPECT_EQ(peer.requests.at(0),
              "GET /a?b HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: rollcall\r\n\r\n");
    send({.method = "POST", .url = peer.url()});
    EXPECT_THAT(peer.requests.at(1), HasSubstr("Content-Length: 0\r\n"));
}

TEST_F(ClientTest, KeepsConnections) {
    Script peer(io_.get_executor(), {ok, ok,
                                     "!HTTP/1.1 200 OK\r\nConnection: close\r\n"
                                     "Content-Length: 1\r\n\r\nx",
                                     ok});
    for (int i = 0; i < 3; ++i) send({.url = peer.url()});
    EXPECT_EQ(peer.connections, 1);
    send({.url = peer.url()});
    EXPECT_EQ(peer.connections, 2);
}

TEST_F(ClientTest, AConnectionIdleForTooLongIsNotUsedAgain) {
    make_client({.idle_timeout = milliseconds(20)});
    Script peer(io_.get_executor(), {ok, ok});
    send({.url = peer.url()});
    run(sleep(milliseconds(40)));
    send({.url = peer.url()});
    EXPECT_EQ(peer.connections, 2);
}

TEST_F(ClientTest, AskedAgainWhenAKeptConnectionEnds) {
    Script peer(io_.get_executor(), {ok, "", ok});
    send({.url = peer.url()});
    EXPECT_EQ(send({.url = peer.url("/again")}).body, "ok");
    EXPECT_EQ(peer.connections, 2);
    EXPECT_EQ(peer.requests.size(), 3U);
}

TEST_F(ClientTest, APostThatMayHaveBeenReadIsNotSentTwice) {
    Script peer(io_.get_executor(), {ok, "", ok});
    send({.url = peer.url()});
    EXPECT_THAT(failure({.method = "POST", .url = peer.url(), .body = "x"}), HasSubstr(": closed"));
    EXPECT_EQ(peer.requests.size(), 2U);
}

TEST_F(ClientTest, APostOnAConnectionThatIsKnownToBeClosedIsSentOnANewOne) {
    Script peer(io_.get_executor(),
                {"!" + ok, ok});  // closes after an answer that promised to stay
    send({.url = peer.url()});
    run(sleep(milliseconds(5)));
    EXPECT_EQ(send({.method = "POST", .url = peer.url(), .body = "x"}).body, "ok");
}

TEST_F(ClientTest, AFreshConnectionThatEndsIsNotTriedAgain) {
    Script peer(io_.get_executor(), {"", ok});
    EXPECT_THAT(failure({.url = peer.url()}), HasSubstr(": closed"));
    EXPECT_EQ(peer.requests.size(), 1U);
}

TEST_F(ClientTest, ReadsEveryFramingOfABody) {
    Script peer(
        io_.get_executor(),
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + ok,
         "HTTP/1.1 204 No Content\r\n\r\n", "!HTTP/1.0 200 OK\r\n\r\nto the end"});
    EXPECT_EQ(send({.url = peer.url()}).body, "abc");
    EXPECT_EQ(send({.url = peer.url()}).body, "ok");
    EXPECT_EQ(send({.url = peer.url()}).status, 204U);
    EXPECT_EQ(send({.url = peer.url()}).body, "to the end");
}

TEST_F(ClientTest, HeadHasNoBody) {
    Script peer(io_.get_executor(), {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", ok});
    EXPECT_EQ(send({.method = "HEAD", .url = peer.url()}).body, "");
    EXPECT_EQ(send({.url = peer.url()}).body, "ok");
    EXPECT_EQ(peer.connections, 1);
}

TEST_F(ClientTest, BadAnswersAreUnavailable) {
    Script peer(io_.get_executor(),
                {"!nonsense\r\n\r\n", "!HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
                 "!HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nab",
                 "!HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"});
    EXPECT_THAT(failure({.url = peer.url()}), HasSubstr(": bad response"));
    EXPECT_THAT(failure({.url = peer.url()}), HasSubstr(": closed"));
    EXPECT_THAT(failure({.url = peer.url()}), HasSubstr(": bad response"));
    EXPECT_THAT(failure({.url = peer.url()}), HasSubstr(": bad response"));
}

TEST_F(ClientTest, AnswersAreBounded) {
    make_client({.header_bytes_max = 1000, .body_bytes_max = 1000});
    const std::string big(2000, 'x');
    Script peer(io_.get_executor(),
                {"!HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
                 "!HTTP/1.1 200 OK\r\nX: " + big + "\r\n\r\n",
                 "!HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + big + "\r\n",
                 "!HTTP/1.0 200 OK\r\n\r\n" + big});
    for (int i = 0; i < 4; ++i) {
        EXPECT_THAT(failure({.url = peer.url()}), HasSubstr(": too large")) << i;
    }
}

TEST_F(ClientTest, ALimitCoversTheWholeRequest) {
    Script peer(io_.get_executor(), {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"});
    const auto began = std::chrono::steady_clock::now();
    EXPECT_THAT(failure({.url = peer.url(), .timeout = milliseconds(30)}),
                HasSubstr(": timeout: no response within 30 ms, waiting for the response"));
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
    // That connection is not used again.
    EXPECT_THAT(failure({.url = peer.url(), .timeout = milliseconds(30)}), HasSubstr(": timeout"));
    EXPECT_EQ(peer.connections, 2);
}

TEST_F(ClientTest, NobodyThere) {
    std::string url;
    {
        const Acceptor gone(io_.get_executor(), {asio::ip::address_v4::loopback(), 0});
        url = "http://127.0.0.1:" + std::to_string(gone.local_endpoint().port()) + "/secret?a=b";
    }
    const std::string reason = failure({.url = url});
    EXPECT_THAT(reason, HasSubstr(": connect: "));
    EXPECT_THAT(reason, StartsWith("http://127.0.0.1:"));
    EXPECT_THAT(reason, testing::Not(HasSubstr("secret")));
    EXPECT_THAT(failure({.url = "http://no-such-host.invalid/", .timeout = milliseconds(3000)}),
                AnyOf(HasSubstr(": dns: "), HasSubstr("waiting for dns")));
}

TEST_F(ClientTest, UnusableRequestsAreRefusedBeforeAnythingIsSent) {
    EXPECT_THAT(failure({.url = "ftp://a/"}), HasSubstr("not a usable URL"));
    EXPECT_THAT(failure({.url = "/relative"}), HasSubstr("not a usable URL"));
    EXPECT_THAT(failure({.url = "http://u:secret@a/"}),
                testing::AllOf(HasSubstr("not a usable URL"), testing::Not(HasSubstr("secret"))));
    ClientRequest split{.url = "http://127.0.0.1:1/"};
    split.headers.add("Authorization", "Bearer x\r\nX: y");
    EXPECT_THAT(failure(std::move(split)), HasSubstr("control characters"));
}

TEST_F(ClientTest, NoMoreConnectionsThanAllowed) {
    Wakeup gate(io_.get_executor());
    int running = 0;
    int most = 0;
    router_.add({"GET"}, "/", [&](Request&) -> Task<Response> {
        most = std::max(most, ++running);
        co_await sleep(milliseconds(2));
        --running;
        co_return Response::text(200, "x");
    });
    start();
    make_client({.connections_per_host_max = 2});
    const std::string url = "http://127.0.0.1:" + std::to_string(server_->port());
    int done = 0;
    for (int i = 0; i < 10; ++i) {
        asio::co_spawn(io_.get_executor(), client_->send({.url = url}),
                       [&](const std::exception_ptr& error, const Response& response) {
                           EXPECT_FALSE(error);
                           EXPECT_EQ(response.status, 200U);
                           ++done;
                       });
    }
    run_until([&] { return done == 10; });
    EXPECT_EQ(most, 2);
}

TEST_F(ClientTest, WaitingForAConnectionHasALimitToo) {
    make_client({.connections_per_host_max = 1});
    Script peer(io_.get_executor(), {});
    std::vector<std::string> reasons;
    for (const int limit : {60, 20}) {
        asio::co_spawn(io_.get_executor(),
                       client_->send({.url = peer.url(), .timeout = milliseconds(limit)}),
                       [&](const std::exception_ptr& error, const Response&) {
                           try {
                               std::rethrow_exception(error);
                           } catch (const Unavailable& away) {
                               reasons.emplace_back(away.what());
                           }
                       });
    }
    run_until([&] { return reasons.size() == 2; });
    EXPECT_THAT(reasons[0], HasSubstr("waiting for a free connection"));
    EXPECT_THAT(reasons[1], HasSubstr("waiting for the response"));
}

TEST_F(ClientTest, MayGoWhileARequestIsUnderWay) {
    Script peer(io_.get_executor(), {});
    make_client();
    bool ended = false;
    asio::co_spawn(io_.get_executor(),
                   client_->send({.url = peer.url(), .timeout = milliseconds(20)}),
                   [&](const std::exception_ptr&, const Response&) { ended = true; });
    run_until([&] { return !peer.requests.empty(); });
    client_.reset();
    run_until([&] { return ended; });
}

TEST(CheckUpstreamUrl, HttpsAnywhereAndHttpOnlyToThisMachine) {
    for (const char* url : {"https://api.clerk.com", "https://api.clerk.com:8443/v1",
                            "https://192.0.2.1", "http://127.0.0.1:3900", "http://127.1.2.3",
                            "http://localhost:80/x", "http://[::1]:8080", "HTTP://LOCALHOST"}) {
        EXPECT_TRUE(check_upstream_url(url).has_value()) << url;
    }
    for (const char* url : {"http://api.clerk.com",
                            "http://192.0.2.1",
                            "http://localhost.evil.com",
                            "http://127.0.0.1.x",
                            "http://127.1",
                            "http://2130706433",
                            "http://0.0.0.0",
                            "http://[::]",
                            "http://[::ffff:127.0.0.1]",
                            "https://u@api.clerk.com",
                            "https://u:p@api.clerk.com",
                            "https://",
                            "https:///v1",
                            "ftp://localhost",
                            "api.clerk.com",
                            "",
                            "https://a b",
                            "https://a:99999",
                            "https://a:x",
                            "http://localhost@evil.com",
                            "https://exa\\mple.com",
                            "https://a%2eb"}) {
        EXPECT_FALSE(check_upstream_url(url).has_value()) << url;
    }
}

TEST(IsLoopbackUrl, KnowsThisMachine) {
    EXPECT_TRUE(is_loopback_url("https://localhost:3000/x"));
    EXPECT_TRUE(is_loopback_url("http://127.0.0.1"));
    EXPECT_FALSE(is_loopback_url("http://127.0.0.1.example.com/"));
    EXPECT_FALSE(is_loopback_url("http://localhost@example.com/"));
    EXPECT_FALSE(is_loopback_url("ftp://localhost/"));
}

}  // namespace
}  // namespace rollcall::http
