// For tests: a server on a free port of this machine, a client that sends raw bytes, and one event
// loop for both that gives up after ten seconds.
#pragma once

#include "base/log.hpp"
#include "http/server.hpp"
#include "http/socket.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <stdexcept>
#include <string>

namespace rollcall::http {

class RawConnection {
public:
    explicit RawConnection(Executor executor) : socket_(executor) {}
    explicit RawConnection(Socket socket) : socket_(std::move(socket)) {}

    Task<> connect(unsigned short port) {
        co_await socket_.async_connect({asio::ip::address_v4::loopback(), port}, use_task);
    }
    // From an address of this machine: 127.0.0.2, …
    Task<> connect_from(const char* address, unsigned short port) {
        socket_.open(asio::ip::tcp::v4());
        socket_.bind({asio::ip::make_address(address), 0});
        co_await connect(port);
    }
    Task<> send(std::string bytes) {
        co_await asio::async_write(socket_, asio::buffer(bytes), use_task);
    }
    // Everything up to the end of the connection.
    Task<std::string> read_to_end() {
        for (std::size_t count = 1; count > 0;) count = co_await read_some();
        co_return std::exchange(received_, "");
    }
    // Up to and with `mark`.
    Task<std::string> read_until(std::string mark) {
        for (;;) {
            const std::size_t at = received_.find(mark);
            if (at != std::string::npos) {
                std::string text = received_.substr(0, at + mark.size());
                received_.erase(0, text.size());
                co_return text;
            }
            const std::size_t count = co_await read_some();
            if (count == 0) throw std::runtime_error("closed after: " + received_);
        }
    }
    // One response with Content-Length, or without a body.
    Task<std::string> read_response(bool with_body = true) {
        std::size_t head = std::string::npos;
        while ((head = received_.find("\r\n\r\n")) == std::string::npos) {
            const std::size_t count = co_await read_some();
            if (count == 0) throw std::runtime_error("closed after: " + received_);
        }
        std::size_t size = head + 4;
        const std::size_t length = received_.find("Content-Length: ");
        if (with_body && length < head) size += std::stoul(received_.substr(length + 16));
        while (received_.size() < size) {
            const std::size_t count = co_await read_some();
            if (count == 0) throw std::runtime_error("closed after: " + received_);
        }
        std::string response = received_.substr(0, size);
        received_.erase(0, size);
        co_return response;
    }
    // True when the peer closed, in order or not.
    Task<bool> ended() {
        const std::size_t count = co_await read_some();
        co_return count == 0;
    }
    void close() { socket_.close(); }
    Socket& socket() { return socket_; }

private:
    Task<std::size_t> read_some() {
        std::string chunk(16 * 1024, '\0');
        boost::system::error_code error;
        const std::size_t count = co_await socket_.async_read_some(
            asio::buffer(chunk), asio::redirect_error(use_task, error));
        received_.append(chunk, 0, count);
        co_return count;
    }

    Socket socket_;
    std::string received_;
};

class LoopbackTest : public testing::Test {
public:
    // Runs the loop until `task` ended; throws what it threw, or that it took too long.
    template <class T>
    T run(Task<T> task) {
        std::exception_ptr failure;
        std::optional<T> result;
        asio::co_spawn(io_.get_executor(), std::move(task), [&](std::exception_ptr error, T value) {
            failure = error;
            result = std::move(value);
        });
        run_until([&] { return result.has_value(); });
        if (failure) std::rethrow_exception(failure);
        return std::move(*result);
    }
    void run(Task<> task) {
        run([](Task<> inner) -> Task<bool> {
            co_await std::move(inner);
            co_return true;
        }(std::move(task)));
    }
    template <class Condition>
    void run_until(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        io_.restart();
        while (!condition()) {
            if (io_.run_one_until(deadline) == 0) throw std::runtime_error("took too long");
        }
    }

    void start(ServerConfig config = {}) {
        config.listen = "127.0.0.1:0";
        server_.emplace(io_.get_executor(), std::move(config), router_,
                        make_server_metrics(registry_));
        const auto started = server_->start();
        ASSERT_TRUE(started.has_value()) << started.error().message;
    }

    Task<RawConnection> connected() {
        RawConnection connection(io_.get_executor());
        co_await connection.connect(server_->port());
        co_return connection;
    }
    Task<RawConnection> connected_from(const char* address) {
        RawConnection connection(io_.get_executor());
        co_await connection.connect_from(address, server_->port());
        co_return connection;
    }
    // Sends `bytes` on a new connection and reads until the server closes it.
    std::string talk(std::string bytes) {
        return run([](LoopbackTest& test, std::string request) -> Task<std::string> {
            RawConnection connection = co_await test.connected();
            co_await connection.send(std::move(request));
            co_return co_await connection.read_to_end();
        }(*this, std::move(bytes)));
    }

    asio::io_context io_{1};
    MetricsRegistry registry_;
    Router router_;
    std::optional<Server> server_;
};

}  // namespace rollcall::http
