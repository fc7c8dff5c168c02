#include "pg/connection.hpp"

#include "base/result.hpp"
#include "pg/cancel.hpp"

#include <fcntl.h>
#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>
#include <string>
#include <tuple>
#include <utility>

namespace rollcall::pg {

using asio::posix::descriptor_base;

void Arguments::assign(const Params& params) {
    values.clear();
    lengths.clear();
    formats.clear();
    for (const Params::Slot& slot : params.slots_) {
        values.push_back(slot.null ? nullptr : params.bytes_.data() + slot.offset);
        lengths.push_back(slot.length);
        formats.push_back(slot.binary ? 1 : 0);
    }
}

Connection::Connection(Executor executor, pg_conn* established, std::chrono::milliseconds timeout)
    : conn_(established), stream_(executor), timer_(executor), timeout_(timeout) {
    // A descriptor of our own: libpq closes its one when the connection is lost, and the number
    // may be another socket's by the time that we take it out of the event loop.
    boost::system::error_code error;
    stream_.assign(fcntl(PQsocket(conn_), F_DUPFD_CLOEXEC, 0), error);
    tls_ = PQsslInUse(conn_) != 0;
    spent_ = error || PQsetnonblocking(conn_, 1) != 0 || PQenterPipelineMode(conn_) != 1;
}

Connection::~Connection() {
    if (in_flight_ && conn_ != nullptr) cancel_in_background(conn_);
    close();
}

void Connection::close() {
    timer_.cancel();
    boost::system::error_code ignored;
    stream_.close(ignored);
    if (conn_ != nullptr) PQfinish(std::exchange(conn_, nullptr));
}

void Connection::start(Use use) {
    ensure(!in_flight_, "a connection used by two coroutines at once");
    use_ = use;
    if (use == Use::prepared) prepared_.clear();
    commands_.clear();
    results_.clear();
    failure_.reset();
    answered_ = 0;
}

void Connection::queue(const Plan& plan, const Params& params) {
    arguments_.assign(params);
    const int count = arguments_.count();
    const Oid* const types = plan.types.data();
    int sent = 1;
    if (use_ == Use::unnamed) {
        sent = PQsendQueryParams(conn_, plan.text.c_str(), count, types, arguments_.values.data(),
                                 arguments_.lengths.data(), arguments_.formats.data(), 0);
    } else {
        const char* const name = plan.server_name.c_str();
        const bool known = plan.id < prepared_.size() && prepared_[plan.id];
        const bool queued = std::ranges::any_of(commands_, [&](const Command& command) {
            return command.preparing && command.plan == &plan;
        });
        if (!known && !queued) {
            sent = PQsendPrepare(conn_, name, plan.text.c_str(), count, types);
            commands_.push_back({.plan = &plan, .preparing = true});
        }
        sent &= PQsendQueryPrepared(conn_, name, count, arguments_.values.data(),
                                    arguments_.lengths.data(), arguments_.formats.data(), 0);
    }
    commands_.push_back({.plan = &plan, .preparing = false});
    in_flight_ = true;  // a long pipeline is on its way before its end is queued
    if (sent != 1) spent_ = true;
}

Task<bool> Connection::exchange() {
    set_deadline();
    bool well = !spent_ && PQpipelineSync(conn_) == 1 && co_await flush();
    bool complete = false;
    while (well && !complete) {
        complete = collect();
        if (!complete) well = !spent_ && co_await receive();
    }
    if (!complete) {
        // The server's last words may have come with the end of the connection.
        if (conn_ != nullptr && !timed_out_) complete = collect();
        if (!complete) end_in_failure();
    }
    in_flight_ = !complete;
    deadline_ = SteadyTime::max();
    co_return !failure_;
}

// Takes in all answers that have come; true when that was the last one.
bool Connection::collect() {
    while (PQisBusy(conn_) == 0) {
        pg_result* const result = PQgetResult(conn_);
        if (result == nullptr) {
            // Ends the answer to one command, and an error that COMMIT at the Sync ran into.
            if (PQstatus(conn_) == CONNECTION_BAD || answered_ > commands_.size()) return false;
            ++answered_;
            continue;
        }
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return true;
        }
        accept(result);
        if (spent_) return false;  // what follows does not matter, and COPY has no end
    }
    return false;
}

void Connection::accept(pg_result* result) {
    Rows rows(result);  // owns it from here
    const bool last = answered_ >= commands_.size();
    const Plan* const plan = last ? nullptr : commands_[answered_].plan;
    const std::string_view label = plan != nullptr      ? std::string_view(plan->label)
                                   : !commands_.empty() ? std::string_view("commit")
                                                        : std::string_view("script");
    switch (PQresultStatus(result)) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
        case PGRES_EMPTY_QUERY:
            if (last) return;
            if (!commands_[answered_].preparing) {
                last_tag_ = PQcmdStatus(result);
                results_.push_back(std::move(rows));
            } else {
                if (prepared_.size() <= plan->id) prepared_.resize(plan->id + 1);
                prepared_[plan->id] = true;
            }
            return;
        case PGRES_PIPELINE_ABORTED:
            return;
        case PGRES_FATAL_ERROR:
        case PGRES_BAD_RESPONSE:
            note(refusal(result, label));
            return;
        default:  // COPY, which nothing here speaks
            note({.kind = Failure::Kind::refused,
                  .message = std::string(label) + ": COPY is not supported",
                  .sqlstate = "0A000",
                  .connection_spent = true});
            return;
    }
}

void Connection::note(Failure failure) {
    spent_ = spent_ || failure.connection_spent;
    if (!failure_) failure_ = std::move(failure);
}

void Connection::end_in_failure() {
    const bool known = failure_.has_value();
    spent_ = true;
    if (known) return;
    if (timed_out_) {
        failure_ = unavailable("database took longer than " + std::to_string(timeout_.count()) +
                                   " ms, outcome unknown",
                               "57014");
    } else if (conn_ == nullptr || PQstatus(conn_) == CONNECTION_BAD) {
        failure_ = unavailable("database connection lost, outcome unknown: " +
                               flatten(conn_ != nullptr ? PQerrorMessage(conn_) : "closed"));
    } else {
        failure_ = unavailable("database call abandoned, outcome unknown", "57014");
    }
}

Rows Connection::take(std::size_t index) {
    ensure(index < results_.size(), "no result of that number");
    return std::move(results_[index]);
}

Task<bool> Connection::script(std::string_view text) {
    start(use_);
    set_deadline();
    in_flight_ = true;
    bool well = PQexitPipelineMode(conn_) == 1 &&
                PQsendQuery(conn_, std::string(text).c_str()) == 1 && co_await flush();
    bool complete = false;
    while (well && !complete) {
        while (!complete && !spent_ && PQisBusy(conn_) == 0) {
            pg_result* const result = PQgetResult(conn_);
            complete = result == nullptr;
            if (!complete) accept(result);
        }
        if (!complete) well = !spent_ && co_await receive();
    }
    complete = complete && PQstatus(conn_) == CONNECTION_OK && PQenterPipelineMode(conn_) == 1;
    if (!complete) end_in_failure();
    in_flight_ = !complete;
    deadline_ = SteadyTime::max();
    co_return !failure_;
}

// Until all is with the kernel. The server may be as stuck with its answers as we with our
// statements, so what it sends is taken in meanwhile.
Task<bool> Connection::flush() {
    using asio::experimental::awaitable_operators::operator||;
    constexpr auto as_error = asio::as_tuple(use_task);
    while (true) {
        const int left = PQflush(conn_);
        if (left <= 0) co_return left == 0;
        if (timed_out_) co_return false;
        const auto first = co_await (stream_.async_wait(descriptor_base::wait_read, as_error) ||
                                     stream_.async_wait(descriptor_base::wait_write, as_error));
        const auto [error] = std::visit([](const auto& tuple) { return tuple; }, first);
        if (error || timed_out_ || conn_ == nullptr) co_return false;
        if (first.index() == 0 && PQconsumeInput(conn_) != 1) co_return false;
    }
}

Task<bool> Connection::receive() {
    if (!tls_holds_input()) {
        if (timed_out_) co_return false;
        boost::system::error_code error;
        co_await stream_.async_wait(descriptor_base::wait_read,
                                    asio::redirect_error(use_task, error));
        if (error || timed_out_ || conn_ == nullptr) co_return false;
    }
    co_return PQconsumeInput(conn_) == 1;
}

// libpq may leave a part of a TLS record unread, of which the socket knows nothing any more.
bool Connection::tls_holds_input() const {
    if (!tls_) return false;
    auto* const tls = static_cast<SSL*>(PQsslStruct(conn_, "OpenSSL"));
    return tls != nullptr && SSL_pending(tls) > 0;
}

Task<bool> Connection::wait_readable(Duration limit) {
    deadline_ = std::chrono::steady_clock::now() + limit;
    timed_out_ = false;
    arm(deadline_);
    boost::system::error_code error;
    if (!tls_holds_input()) {
        co_await stream_.async_wait(descriptor_base::wait_read,
                                    asio::redirect_error(use_task, error));
    }
    deadline_ = SteadyTime::max();
    timed_out_ = false;
    co_return !error;
}

void Connection::cancel_wait() {
    if (stream_.is_open()) stream_.cancel();
}

bool Connection::notifications(const std::function<void(std::string_view payload)>& on_notify) {
    struct Free {
        void operator()(PGnotify* notify) const { PQfreemem(notify); }
    };
    const bool connected = PQconsumeInput(conn_) == 1;
    while (const std::unique_ptr<PGnotify, Free> notify{PQnotifies(conn_)}) {
        on_notify(notify->extra);
    }
    return connected && PQstatus(conn_) == CONNECTION_OK;
}

bool Connection::alive() {
    // A few rounds: a parameter that changed, a TLS ticket or a farewell may wait to be read.
    for (int round = 0; round < 8 && PQstatus(conn_) == CONNECTION_OK; ++round) {
        char byte = 0;
        const auto size = recv(PQsocket(conn_), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (size < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
        if (size == 0 || PQconsumeInput(conn_) != 1) return false;
        PQisBusy(conn_);  // lets libpq look at what came
    }
    return false;
}

bool Connection::in_transaction() const {
    return PQtransactionStatus(conn_) != PQTRANS_IDLE;
}

// Statements follow each other much faster than they time out, so the timer is left as it is while
// it fires no later than needed; the handler looks at the deadline of the day.
void Connection::set_deadline() {
    timed_out_ = false;
    deadline_ = std::chrono::steady_clock::now() + timeout_;
    if (!armed_ || timer_.expiry() > deadline_) arm(deadline_);
}

void Connection::arm(SteadyTime at) {
    armed_ = true;
    timer_.expires_at(at);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (error || !self) return;
        self->armed_ = false;
        if (self->deadline_ == SteadyTime::max()) return;
        if (std::chrono::steady_clock::now() < self->deadline_) {
            self->arm(self->deadline_);
        } else {
            self->timed_out_ = true;
            self->cancel_wait();
        }
    });
}

}  // namespace rollcall::pg
