#include "support/fault_proxy.hpp"

#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <future>
#include <list>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

namespace rollcall::test {

namespace asio = boost::asio;
using Socket = asio::generic::stream_protocol::socket;
using boost::system::error_code;

struct FaultProxy::State {
    struct Link {
        explicit Link(asio::io_context& io) : client(io), server(io) {}
        void close() {
            error_code ignored;
            client.close(ignored);
            server.close(ignored);
        }
        Socket client;
        Socket server;
        bool answer_lost = false;
    };
    using LinkPointer = std::shared_ptr<Link>;

    explicit State(asio::generic::stream_protocol::endpoint t)
        : target(std::move(t)),
          acceptor(io, {asio::ip::address_v4::loopback(), 0}),
          released(io, asio::steady_timer::time_point::max()),
          port(acceptor.local_endpoint().port()) {
        asio::co_spawn(io, accept(), asio::detached);
        thread = std::thread([this] { io.run(); });
    }
    ~State() {
        io.stop();
        thread.join();
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    // Does `work` on the proxy's thread and waits for it.
    void command(std::function<void()> work) {
        std::packaged_task<void()> task(std::move(work));
        auto done = task.get_future();
        asio::post(io, std::move(task));
        done.get();
    }

    asio::awaitable<void> accept();
    asio::awaitable<void> serve(LinkPointer link);
    asio::awaitable<void> forward(LinkPointer link, bool to_server);
    // Whether `chunk` may go on, and how much of it.
    std::size_t inspect(Link& link, bool to_server, std::string_view chunk);

    asio::io_context io;
    asio::generic::stream_protocol::endpoint target;
    asio::ip::tcp::acceptor acceptor;
    asio::steady_timer released;
    int port;
    std::atomic<int> accepted{0};
    std::atomic<int> forwarding{0};
    std::list<LinkPointer> links;
    bool refusing = false;
    bool stalled = false;
    std::optional<std::size_t> bytes_left;
    std::string pattern;
    std::thread thread;
};

asio::awaitable<void> FaultProxy::State::accept() {
    while (true) {
        auto link = std::make_shared<Link>(io);
        asio::ip::tcp::socket client = co_await acceptor.async_accept(asio::use_awaitable);
        ++accepted;
        if (refusing) continue;
        link->client = Socket(std::move(client));
        asio::co_spawn(io, serve(link), asio::detached);
    }
}

asio::awaitable<void> FaultProxy::State::serve(LinkPointer link) {
    error_code error;
    co_await link->server.async_connect(target, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        link->close();
        co_return;
    }
    links.push_back(link);
    ++forwarding;
    asio::co_spawn(io, forward(link, /*to_server=*/false), asio::detached);
    co_await forward(link, /*to_server=*/true);
    links.remove(link);
    --forwarding;
}

asio::awaitable<void> FaultProxy::State::forward(LinkPointer link, bool to_server) {
    Socket& from = to_server ? link->client : link->server;
    Socket& to = to_server ? link->server : link->client;
    std::array<char, 16384> buffer{};
    error_code error;
    while (!error) {
        const std::size_t size = co_await from.async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        while (stalled && !error && link->client.is_open()) {
            error_code ignored;
            co_await released.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
        if (error) break;
        const std::size_t allowed = inspect(*link, to_server, {buffer.data(), size});
        co_await asio::async_write(to, asio::buffer(buffer.data(), allowed),
                                   asio::redirect_error(asio::use_awaitable, error));
        if (allowed < size) break;
    }
    link->close();
}

std::size_t FaultProxy::State::inspect(Link& link, bool to_server, std::string_view chunk) {
    if (!to_server) return link.answer_lost ? 0 : chunk.size();
    if (!pattern.empty() && chunk.contains(pattern)) {
        link.answer_lost = true;
        pattern.clear();
    }
    if (!bytes_left) return chunk.size();
    if (chunk.size() < *bytes_left) {
        *bytes_left -= chunk.size();
        return chunk.size();
    }
    return *std::exchange(bytes_left, std::nullopt);
}

FaultProxy::FaultProxy(std::string unix_socket_path)
    : state_(std::make_unique<State>(asio::local::stream_protocol::endpoint(unix_socket_path))) {}

FaultProxy::FaultProxy(std::string address, int port)
    : state_(std::make_unique<State>(asio::ip::tcp::endpoint(asio::ip::make_address(address),
                                                             static_cast<unsigned short>(port)))) {}

FaultProxy::~FaultProxy() = default;

int FaultProxy::port() const {
    return state_->port;
}
int FaultProxy::accepted() const {
    return state_->accepted;
}
int FaultProxy::forwarding() const {
    return state_->forwarding;
}

void FaultProxy::cut() {
    state_->command([state = state_.get()] {
        for (const auto& link : state->links) link->close();
    });
}

void FaultProxy::refuse(bool on) {
    state_->command([state = state_.get(), on] { state->refusing = on; });
}

void FaultProxy::stall(bool on) {
    state_->command([state = state_.get(), on] {
        state->stalled = on;
        if (!on) state->released.cancel();
    });
}

void FaultProxy::cut_after(std::size_t bytes) {
    state_->command([state = state_.get(), bytes] { state->bytes_left = bytes; });
}

void FaultProxy::lose_answer_to(std::string pattern) {
    state_->command(
        [state = state_.get(), pattern = std::move(pattern)] { state->pattern = pattern; });
}

}  // namespace rollcall::test
