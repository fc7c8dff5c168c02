// For tests: a relay before an upstream that the test plays itself, byte by byte.
#pragma once

#include "http/loopback_test.hpp"
#include "http/relay.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>

namespace rollcall::http {

class RelayStand : public LoopbackTest {
public:
    using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

    void start_relay(RelayConfig config = {}, ServerConfig server = {}) {
        config.upstream = "http://127.0.0.1:" + std::to_string(port());
        relay_.emplace(io_.get_executor(), std::move(config), registry_);
        router_.add_stream("proxy", [this](ServerStream& client) -> Task<std::optional<Response>> {
            const Request& request = client.request();
            Fields own = forwarding_fields(request, {});
            own.set("X-Own", "1");
            return relay_->forward(
                client,
                {.target = request.target, .fields = request.headers, .own = std::move(own)});
        });
        start(std::move(server));
    }
    [[nodiscard]] unsigned short port() const { return upstream_.local_endpoint().port(); }

    // The next connection that the relay opens.
    Task<RawConnection> accepted() {
        Socket socket = co_await upstream_.async_accept(use_task);
        co_return RawConnection(std::move(socket));
    }

    static std::string get(const std::string& fields = "", const std::string& target = "/") {
        return "GET " + target + " HTTP/1.1\r\nHost: app\r\n" + fields + "\r\n";
    }
    static std::string post(const std::string& fields, const std::string& body = "") {
        return "POST / HTTP/1.1\r\nHost: app\r\n" + fields + "\r\n" + body;
    }
    static std::string answer(const std::string& body, const std::string& fields = "") {
        return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }

    Acceptor upstream_{io_.get_executor(), {asio::ip::address_v4::loopback(), 0}};
    std::optional<Relay> relay_;
};

}  // namespace rollcall::http
