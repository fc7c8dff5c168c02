#include "pg/opening.hpp"

#include "pg/connection.hpp"
#include "pg/endpoint.hpp"

#include <libpq-fe.h>
#include <algorithm>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <utility>

namespace rollcall::pg {

// Shared with the timer's handler, which may run after the attempt is over.
struct Opening::Dial {
    Dial(Executor e, const DatabaseConfig& c, std::size_t& first)
        : executor(e),
          config(c),
          first_address(first),
          stream(e),
          timer(std::make_shared<SteadyTimer>(e)) {}
    ~Dial() { hang_up(); }
    Dial(const Dial&) = delete;
    Dial& operator=(const Dial&) = delete;

    void hang_up();
    Task<bool> login(const Endpoint::Options& options);
    Task<bool> wait_socket(bool write);

    Executor executor;
    const DatabaseConfig& config;
    std::size_t& first_address;
    asio::posix::basic_stream_descriptor<Executor> stream;
    std::shared_ptr<SteadyTimer> timer;
    pg_conn* conn = nullptr;
    bool expired = false;
    bool cancelled = false;
};

namespace {

void drop_notice(void* /*unused*/, const PGresult* /*notice*/) {}

}  // namespace

void Opening::Dial::hang_up() {
    timer->cancel();
    if (conn != nullptr) PQfinish(std::exchange(conn, nullptr));
}

// libpq may close its socket and open another one, even with the same number, whenever it is
// polled, so the descriptor is Asio's during the wait only.
Task<bool> Opening::Dial::wait_socket(bool write) {
    const int socket = PQsocket(conn);
    boost::system::error_code error;
    stream.assign(socket, error);
    if (error) co_return false;
    struct Release {
        ~Release() { stream.release(); }
        asio::posix::basic_stream_descriptor<Executor>& stream;
    } release{stream};
    co_await stream.async_wait(
        write ? asio::posix::descriptor_base::wait_write : asio::posix::descriptor_base::wait_read,
        asio::redirect_error(use_task, error));
    co_return !error && !expired && !cancelled;
}

Task<bool> Opening::Dial::login(const Endpoint::Options& options) {
    const OptionArrays arrays(options);
    conn = PQconnectStartParams(arrays.keywords.data(), arrays.values.data(), 0);
    if (conn == nullptr || PQstatus(conn) == CONNECTION_BAD) co_return false;
    PQsetNoticeReceiver(conn, drop_notice, nullptr);
    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;
    while (polling == PGRES_POLLING_READING || polling == PGRES_POLLING_WRITING) {
        if (!co_await wait_socket(polling == PGRES_POLLING_WRITING)) co_return false;
        polling = PQconnectPoll(conn);
    }
    co_return polling == PGRES_POLLING_OK;
}

Opening::Opening(Executor executor, const DatabaseConfig& config, std::size_t& first_address)
    : dial_(std::make_shared<Dial>(executor, config, first_address)) {}

Opening::~Opening() = default;

void Opening::cancel() {
    dial_->cancelled = true;
    dial_->timer->cancel();
    if (dial_->stream.is_open()) dial_->stream.cancel();
}

Task<Outcome<std::shared_ptr<Connection>>> Opening::run() {
    const auto dial = dial_;
    const SteadyTime end = std::chrono::steady_clock::now() + dial->config.connect_timeout;
    const Result<Endpoint> endpoint = Endpoint::parse(dial->config);
    if (!endpoint) co_return std::unexpected(unavailable(endpoint.error().message));
    auto addresses = co_await endpoint->resolve(dial->timer, end);
    if (!addresses) co_return std::unexpected(std::move(addresses.error()));

    const std::size_t count = std::max<std::size_t>(addresses->size(), 1);
    std::string reason;
    for (std::size_t left = count; left > 0 && !dial->cancelled; --left) {
        auto order = *addresses;
        std::ranges::rotate(
            order, order.begin() + static_cast<std::ptrdiff_t>(dial->first_address % count));
        dial->expired = false;
        const auto now = std::chrono::steady_clock::now();
        dial->timer->expires_at(now + std::max(end - now, Duration::zero()) / left);
        dial->timer->async_wait([weak = std::weak_ptr(dial)](const auto& error) {
            const auto self = weak.lock();
            if (error || !self) return;
            self->expired = true;
            if (self->stream.is_open()) self->stream.cancel();
        });
        const bool established = co_await dial->login(endpoint->options(order));
        if (established) {
            dial->timer->cancel();
            co_return std::make_shared<Connection>(
                dial->executor, std::exchange(dial->conn, nullptr), dial->config.statement_timeout);
        }
        std::string words = dial->conn ? flatten(PQerrorMessage(dial->conn)) : "no memory";
        // Said before there is a reason.
        if (words.ends_with(" failed:")) words.resize(words.size() - 8);
        const bool hung = dial->expired;
        dial->hang_up();
        reason = hung ? "timed out" + (words.empty() ? "" : " (" + words + ")") : words;
        if (!hung) break;  // libpq has been through all of them
        ++dial->first_address;
    }
    co_return std::unexpected(unavailable("database connection failed: " + reason));
}

}  // namespace rollcall::pg
