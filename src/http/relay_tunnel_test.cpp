#include "http/relay_stand_test.hpp"

#include <gmock/gmock.h>

namespace rollcall::http {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string head_end = "\r\n\r\n";
const std::string handshake =
    "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n"
    "Sec-WebSocket-Version: 13\r\n";
const std::string accepts =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: a\r\n\r\n";

// A client and an upstream with a WebSocket between them.
struct Tunnel {
    RawConnection client;
    RawConnection upstream;
};

class RelayTunnelTest : public RelayStand {
public:
    Task<Tunnel> tunnel() {
        RawConnection client = co_await connected();
        co_await client.send(get(handshake));
        RawConnection upstream = co_await accepted();
        co_await upstream.read_until(head_end);
        co_await upstream.send(accepts);
        co_await client.read_until(head_end);
        co_return Tunnel{.client = std::move(client), .upstream = std::move(upstream)};
    }
    double open_tunnels() {
        return registry_.gauge("rollcall_gate_proxy_tunnels", "WebSockets open through the proxy.")
            .Add({})
            .Value();
    }
};

TEST_F(RelayTunnelTest, AWebSocketIsPassedThrough) {
    start_relay();
    run([](RelayTunnelTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(get(handshake));
        RawConnection upstream = co_await test.accepted();
        const std::string head = co_await upstream.read_until(head_end);
        EXPECT_THAT(head, HasSubstr("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
        EXPECT_THAT(head, HasSubstr("\r\nSec-WebSocket-Key: k\r\n"));
        co_await upstream.send(accepts + "first");
        const std::string answer = co_await client.read_until(head_end);
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
        EXPECT_THAT(answer, HasSubstr("\r\nConnection: Upgrade\r\n"));
        EXPECT_THAT(answer, HasSubstr("\r\nUpgrade: websocket\r\n"));
        EXPECT_THAT(answer, HasSubstr("\r\nSec-WebSocket-Accept: a\r\n"));
        co_await client.read_until("first");
        EXPECT_EQ(test.open_tunnels(), 1);
        for (int i = 0; i < 3; ++i) {
            co_await client.send("GET /up HTTP/1.1\r\n\r\n");  // bytes like any other
            co_await upstream.read_until("GET /up HTTP/1.1\r\n\r\n");
            co_await upstream.send(std::string("\0\1down", 6));
            co_await client.read_until("down");
        }
        client.socket().shutdown(asio::socket_base::shutdown_send);
        const std::string rest = co_await upstream.read_to_end();
        EXPECT_EQ(rest, "");
        co_await upstream.send("the last word");  // half of it is still open
        upstream.close();
        const std::string last = co_await client.read_to_end();
        EXPECT_THAT(last, HasSubstr("the last word"));
        while (test.open_tunnels() > 0) co_await sleep(milliseconds(1));
    }(*this));
}

TEST_F(RelayTunnelTest, EitherSideEndsIt) {
    start_relay();
    run([](RelayTunnelTest& test) -> Task<> {
        for (const bool by_client : {true, false}) {
            Tunnel tunnel = co_await test.tunnel();
            auto& goes = by_client ? tunnel.client : tunnel.upstream;
            auto& stays = by_client ? tunnel.upstream : tunnel.client;
            goes.socket().set_option(asio::socket_base::linger(true, 0));
            goes.close();
            const bool ended = co_await stays.ended();
            EXPECT_TRUE(ended);
        }
        while (test.open_tunnels() > 0) co_await sleep(milliseconds(1));
    }(*this));
}

TEST_F(RelayTunnelTest, ARefusalIsAnAnswer) {
    start_relay();
    run([](RelayTunnelTest& test) -> Task<> {
        RawConnection client = co_await test.connected();
        co_await client.send(get(handshake));
        RawConnection upstream = co_await test.accepted();
        co_await upstream.read_until(head_end);
        co_await upstream.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        const std::string response = co_await client.read_response();
        EXPECT_THAT(response, StartsWith("HTTP/1.1 403 "));
        co_await client.send(get());
        co_await upstream.read_until(head_end);
        co_await upstream.send(answer("yes"));
        const std::string next = co_await client.read_response();
        EXPECT_THAT(next, testing::EndsWith("yes"));
    }(*this));
}

// By `Upgrade: h2c` a client could talk past whoever decides here.
TEST_F(RelayTunnelTest, NothingButAWebSocketIsPassed) {
    start_relay();
    run([](RelayTunnelTest& test) -> Task<> {
        const std::string cases[] = {
            get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"),
            get("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"),
            get("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n"),
            get("Upgrade: websocket\r\n"),
            "GET / HTTP/1.0\r\nHost: app\r\n" + handshake + "\r\n",
            post(handshake + "Content-Length: 1\r\n", "x"),
            get(handshake + "Content-Length: 1\r\n") + "x",
        };
        for (const std::string& request : cases) {
            RawConnection client = co_await test.connected();
            co_await client.send(request);
            RawConnection upstream = co_await test.accepted();
            const std::string head = co_await upstream.read_until(head_end);
            EXPECT_THAT(head, Not(HasSubstr("Upgrade"))) << request;
            co_await upstream.send(accepts);
            const std::string response = co_await client.read_response();
            EXPECT_THAT(response, StartsWith("HTTP/1.1 502 "));
        }
    }(*this));
}

TEST_F(RelayTunnelTest, AQuietOneIsClosed) {
    start_relay({.tunnel_idle_timeout = milliseconds(50)});
    run([](RelayTunnelTest& test) -> Task<> {
        Tunnel tunnel = co_await test.tunnel();
        const bool client_ended = co_await tunnel.client.ended();
        const bool upstream_ended = co_await tunnel.upstream.ended();
        EXPECT_TRUE(client_ended);
        EXPECT_TRUE(upstream_ended);
    }(*this));
}

TEST_F(RelayTunnelTest, DrainClosesItAtItsLimit) {
    start_relay();
    run([](RelayTunnelTest& test) -> Task<> {
        Tunnel tunnel = co_await test.tunnel();
        bool drained = false;
        asio::co_spawn(test.io_.get_executor(), test.server_->drain(std::chrono::seconds(1)),
                       [&](const std::exception_ptr&) { drained = true; });
        co_await tunnel.client.send("still open");
        co_await tunnel.upstream.read_until("still open");
        EXPECT_FALSE(drained);
        const bool client_ended = co_await tunnel.client.ended();
        const bool upstream_ended = co_await tunnel.upstream.ended();
        EXPECT_TRUE(client_ended);
        EXPECT_TRUE(upstream_ended);
        while (!drained) co_await sleep(milliseconds(1));
    }(*this));
}

}  // namespace
}  // namespace rollcall::http
