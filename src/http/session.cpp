#include "http/session.hpp"

#include "base/log.hpp"
#include "http/hang_up.hpp"
#include "http/response_writer.hpp"

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

namespace rollcall::http {
namespace {

using boost::system::error_code;
using std::chrono::milliseconds;
using Phase = RequestParser::Phase;

constexpr std::size_t first_capacity = 8 * 1024;
constexpr std::size_t least_room = 1024;
// How long and how much of what still comes is read before a connection is closed after its last
// answer: a close with unread input would reset it, and the answer with it. Twice what a body may
// be.
constexpr milliseconds linger_time{2'000};
constexpr std::size_t linger_bytes_max = 2 * 1024 * 1024;
// No event of Clerk's is as large: of a user with all that Clerk allows it has some 50 KiB.
constexpr std::size_t large_body_bytes = 64 * 1024;

Response short_answer(unsigned status, std::string_view text) {
    return Response::json(status, R"({"error":")" + std::string(text) + R"("})");
}

}  // namespace

Task<> serve(std::shared_ptr<Listener> listener, Socket socket) {
    Session session(*listener, std::move(socket));
    co_await session.run();
}

Session::Session(Listener& listener, Socket socket)
    : listener_(listener),
      socket_(std::move(socket)),
      remote_address_(address_of(socket_)),
      place_(listener.enter(*this, remote_address_)),
      parser_({.header_bytes_max = listener.config.header_bytes_max,
               .body_bytes_max = listener.config.body_bytes_max}),
      buffer_(std::make_unique_for_overwrite<char[]>(first_capacity)),
      capacity_(first_capacity) {}

Session::~Session() {
    listener_.leave(place_);
}

void Session::close() {
    error_code ignored;
    socket_.close(ignored);
}

void Session::close_if_silent() {
    error_code error;
    if (socket_.available(error) == 0) close();
}

void Session::cut(SteadyTime now) {
    if (now < deadline_) return;
    deadline_ = SteadyTime::max();
    switch (waits_) {
        case Waits::handling:
            return;
        case Waits::reading:
            if (!idle_) {
                timed_out_ = true;
                error_code ignored;
                socket_.cancel(ignored);
                return;
            }
            break;
        case Waits::writing:
        case Waits::lingering:
            break;
    }
    close();
}

Task<> Session::run() {
    for (;;) {
        const Received received = co_await receive();
        if (received == Received::closed) break;
        if (received == Received::refused) {
            co_await refuse();
            break;
        }
        const Answered answered = co_await answer();
        if (answered == Answered::last) co_await linger();
        if (answered != Answered::kept) break;
    }
    close();
}

// Reads until a request is whole.
Task<Session::Received> Session::receive() {
    parser_.restart();
    timed_ = Phase::complete;
    looked_at_body_ = false;
    for (;;) {
        begin_ += parser_.parse(unread());
        const Phase phase = parser_.phase();
        if (phase == Phase::complete) {
            fresh_ = false;
            co_return Received::request;
        }
        if (phase == Phase::refused) {
            refusal_ = parser_.refusal();
            co_return Received::refused;
        }
        if (phase == Phase::body && refuse_early()) co_return Received::refused;
        prepare_wait(phase);
        error_code error;
        const std::size_t count =
            co_await socket_.async_read_some(room(), asio::redirect_error(use_task, error));
        if (idle_) {
            idle_ = false;
            listener_.set_active(place_);
        }
        if (timed_out_) {
            refusal_ = {.status = 408, .reason = "timeout"};
            co_return Received::refused;
        }
        if (error || count == 0) co_return Received::closed;
        end_ += count;
    }
}

bool Session::refuse_early() {
    AddressGuard* const guard = listener_.config.guard;
    if (guard == nullptr || looked_at_body_ || parser_.body_bytes() <= large_body_bytes) {
        return false;
    }
    looked_at_body_ = true;
    refused_ = guard->large(client_address(remote_address_, parser_.request().headers,
                                           listener_.config.trusted_proxies));
    if (refused_) refusal_ = {.status = refused_->status, .reason = "address_limit"};
    return refused_.has_value();
}

// Each phase of a request has its own limit, whatever the number of reads.
void Session::prepare_wait(Phase phase) {
    if (phase == Phase::body && parser_.take_expect_continue()) {
        error_code ignored;
        socket_.write_some(asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")),
                           ignored);
    }
    waits_ = Waits::reading;
    if (phase == timed_) return;
    timed_ = phase;
    const ServerConfig& config = listener_.config;
    if (phase == Phase::body) {
        deadline_ = listener_.deadline(config.body_timeout);
    } else if (phase == Phase::head) {
        deadline_ = listener_.deadline(config.header_timeout);
    } else {
        if (listener_.draining()) close_if_silent();
        idle_ = true;
        deadline_ = listener_.deadline(fresh_ ? std::min(config.header_timeout, config.idle_timeout)
                                              : config.idle_timeout);
        idle_since_ = listener_.now();
        listener_.set_idle(place_);
    }
}

// Space behind what is unread. The parser refuses a line beyond its limit, so this stays bounded.
asio::mutable_buffer Session::room() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (capacity_ - end_ < least_room) {
        const std::size_t size = end_ - begin_;
        if (capacity_ - size < least_room) {
            auto larger = std::make_unique_for_overwrite<char[]>(capacity_ * 2);
            std::memcpy(larger.get(), buffer_.get() + begin_, size);
            buffer_ = std::move(larger);
            capacity_ *= 2;
        } else {
            std::memmove(buffer_.get(), buffer_.get() + begin_, size);
        }
        begin_ = 0;
        end_ = size;
    }
    return asio::buffer(buffer_.get() + end_, capacity_ - end_);
}

Task<Session::Answered> Session::answer() {
    Request& request = parser_.request();
    const SteadyTime began = real_clock().steady();
    const std::size_t body_bytes = request.body.size();
    const std::string method = request.method;
    request.remote_address = remote_address_;
    request.client_address =
        client_address(remote_address_, request.headers, listener_.config.trusted_proxies);
    if (request.request_id.empty()) request.request_id = listener_.make_request_id();

    waits_ = Waits::handling;
    listener_.metrics.in_flight().Increment();
    Response response = co_await handle();
    listener_.metrics.in_flight().Decrement();
    if (response.status == hang_up) co_return Answered::broken;

    if (response.status < 200 || response.status > 599 || !has_valid_fields(response)) {
        listener_.log_failure("http_invalid_response", *route_, "status or fields");
        response = short_answer(500, "Internal error");
    }
    const auto wish = response.headers.get("Connection");
    const bool keep =
        parser_.keep_alive() && !listener_.draining() && !(wish && same_name(*wish, "close"));
    const bool written = co_await write(response, method == "HEAD", keep);
    listener_.metrics.finished(route_, method, response.status,
                               std::chrono::duration<double>(real_clock().steady() - began).count(),
                               body_bytes);
    if (log::enabled(log::Level::debug)) {
        log::debug("http_request", {{"listener", listener_.config.name},
                                    {"request_id", request.request_id},
                                    {"route", route_ == nullptr ? "other" : route_->pattern},
                                    {"code", response.status}});
    }
    if (!written) co_return Answered::broken;
    co_return keep ? Answered::kept : Answered::last;
}

// The seam where exceptions of handlers end.
Task<Response> Session::handle() {
    const Router::Match match = listener_.router.find(parser_.request());
    route_ = match.route;
    if (route_ == nullptr) co_return stray(short_answer(404, "Not found"));
    if (!match.method_allowed) {
        Response response = short_answer(405, "Method not allowed");
        response.headers.add("Allow", match.allow);
        co_return stray(std::move(response));
    }
    try {
        co_return co_await route_->handler(parser_.request());
    } catch (const Unavailable& away) {
        listener_.log_failure("http_request_unavailable", *route_, away.what());
        Response response = short_answer(503, "Service unavailable");
        response.headers.add("Retry-After", "5");
        co_return response;
    } catch (const std::exception& error) {
        listener_.log_failure("http_request_failed", *route_, error.what());
    } catch (...) {
        listener_.log_failure("http_request_failed", *route_, "unknown exception");
    }
    co_return short_answer(500, "Internal error");
}

Response Session::stray(Response answer) {
    AddressGuard* const guard = listener_.config.guard;
    return (guard == nullptr ? std::nullopt : guard->stray()).value_or(std::move(answer));
}

Task<bool> Session::write(const Response& response, bool head_only, bool keep) {
    head_.clear();
    append_head(
        head_, response,
        {.date = listener_.date(), .request_id = parser_.request().request_id, .close = !keep});
    std::string_view body;
    if (!head_only && may_have_body(response.status)) body = response.body;
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(head_), asio::buffer(body)};

    // Nearly always the kernel takes all of it at once, and nothing has to be waited for.
    error_code error;
    std::size_t count = socket_.write_some(buffers, error);
    if (error == asio::error::would_block) {
        error = {};
        count = 0;
    }
    if (error) co_return false;
    if (count == head_.size() + body.size()) co_return true;

    waits_ = Waits::writing;
    deadline_ = listener_.deadline(listener_.config.write_timeout);
    const std::size_t of_head = std::min(count, head_.size());
    const std::array<asio::const_buffer, 2> rest{buffers[0] + of_head,
                                                 buffers[1] + (count - of_head)};
    co_await asio::async_write(socket_, rest, asio::redirect_error(use_task, error));
    co_return !error;
}

Task<> Session::refuse() {
    log::debug("http_request_refused", {{"listener", listener_.config.name},
                                        {"reason", refusal_.reason},
                                        {"code", refusal_.status}});
    listener_.metrics.refused(refusal_.status);
    const Response response = refused_
                                  ? *std::move(refused_)
                                  : short_answer(refusal_.status, reason_phrase(refusal_.status));
    if (co_await write(response, /*head_only=*/false, /*keep=*/false)) co_await linger();
}

Task<> Session::linger() {
    error_code error;
    socket_.shutdown(asio::socket_base::shutdown_send, error);
    waits_ = Waits::lingering;
    deadline_ = listener_.deadline(linger_time);
    begin_ = end_ = 0;
    for (std::size_t total = 0; !error && total < linger_bytes_max;) {
        total += co_await socket_.async_read_some(asio::buffer(buffer_.get(), capacity_),
                                                  asio::redirect_error(use_task, error));
    }
}

}  // namespace rollcall::http
