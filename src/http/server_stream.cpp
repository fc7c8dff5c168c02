#include "http/server_stream.hpp"

#include "http/response_writer.hpp"

#include <boost/asio/redirect_error.hpp>

namespace rollcall::http {
namespace {

using boost::system::error_code;
using Phase = RequestParser::Phase;

// Of each read of a body; what one request holds of this connection's memory.
constexpr std::size_t piece_bytes = 32 * 1024;
// Of requests behind the present one.
constexpr std::size_t ahead_bytes_max = 16 * 1024;
// A body that nobody read: up to that it is read to keep the connection.
constexpr std::size_t dropped_bytes_max = 64 * 1024;

asio::const_buffer part(std::string_view text) {
    return asio::buffer(text.data(), text.size());
}

Framing framing_of(const RequestParser& parser) {
    if (parser.phase() == Phase::complete) return {};
    if (parser.chunked()) return {.kind = Framing::Kind::chunks};
    return {.kind = Framing::Kind::length, .length = parser.body_bytes()};
}

}  // namespace

ServerStream::ServerStream(Listener& listener, ServerConnection& connection, RequestParser& parser)
    : listener_(listener), connection_(connection), parser_(parser), body_(framing_of(parser)) {}

// Of a connection that broke or was stopped: 0.
Task<std::size_t> ServerStream::receive() {
    error_code error;
    const std::size_t count = co_await connection_.socket().async_read_some(
        connection_.room(), asio::redirect_error(use_task, error));
    connection_.add(count);
    co_return error ? 0 : count;
}

Task<std::expected<std::string_view, ServerStream::Fault>> ServerStream::read() {
    for (;;) {
        connection_.take(parser_.parse(connection_.unread()));
        if (!parser_.piece().empty()) co_return parser_.piece();
        if (parser_.phase() == Phase::complete) co_return std::string_view();
        if (parser_.phase() == Phase::refused) co_return std::unexpected(Fault::refused);
        if (stopped_) co_return std::unexpected(Fault::stopped);
        if (parser_.take_expect_continue() && !begun()) {
            // A client that cannot be told so waits no longer than it likes.
            (void)connection_.write_now({part("HTTP/1.1 100 Continue\r\n\r\n")});
        }
        connection_.widen(piece_bytes);
        connection_.read_by(listener_.deadline(listener_.config.body_timeout));
        const std::size_t count = co_await receive();
        connection_.read_by(SteadyTime::max());
        if (count > 0) continue;
        if (stopped_) co_return std::unexpected(Fault::stopped);
        co_return std::unexpected(connection_.timed_out() ? Fault::timed_out : Fault::gone);
    }
}

Response ServerStream::refusal(Fault fault) const {
    const unsigned status = fault == Fault::refused ? parser_.refusal().status : 408;
    return Response::json(status, R"({"error":")" + std::string(reason_phrase(status)) + R"("})");
}

Task<bool> ServerStream::has_gone() {
    while (!stopped_) {
        if (connection_.unread().size() >= ahead_bytes_max) {
            error_code error;
            co_await connection_.socket().async_wait(asio::socket_base::wait_error,
                                                     asio::redirect_error(use_task, error));
            co_return !stopped_;
        }
        const std::size_t count = co_await receive();
        if (count == 0) co_return !stopped_;
    }
    co_return false;
}

void ServerStream::stop_reading() {
    stopped_ = true;
    error_code ignored;
    connection_.socket().cancel(ignored);
}

Task<bool> ServerStream::send(std::string_view head, std::string_view piece,
                              std::string_view tail) {
    if (broken_) co_return false;
    const ServerConnection::Parts parts{part(head), part(piece), part(tail)};
    const auto written = connection_.write_now(parts);
    if (written == head.size() + piece.size() + tail.size()) co_return true;
    broken_ = !written || !co_await connection_.write_rest(
                              parts, *written, listener_.deadline(listener_.config.write_timeout));
    co_return !broken_;
}

// Whether what is left of the body is worth reading, to keep the connection. A client that waits
// for "100 Continue" may send it or not.
bool ServerStream::rest_is_small() const {
    if (parser_.phase() == Phase::complete) return true;
    return parser_.phase() == Phase::body && !parser_.chunked() && !parser_.expects_continue() &&
           body_.length <= dropped_bytes_max;
}

Task<bool> ServerStream::begin(const Response& head, Framing framing) {
    ensure(!begun(), "an answer begins once");
    status_ = head.status;
    const bool has_body = request().method != "HEAD" && may_have_body(head.status);
    if (framing.kind == Framing::Kind::chunks || framing.kind == Framing::Kind::close) {
        framing.kind = !has_body    ? Framing::Kind::none
                       : http_1_0() ? Framing::Kind::close
                                    : Framing::Kind::chunks;
    }
    framing_ = has_body ? framing : Framing{};
    keep_ = parser_.keep_alive() && !listener_.draining() && !connection_.timed_out() &&
            framing_.kind != Framing::Kind::close && rest_is_small();
    head_.clear();
    append_head(head_, head,
                {.date = head.headers.get("Date").value_or(listener_.date()),
                 .request_id = request().request_id,
                 .close = !keep_,
                 .framing = framing});
    co_return co_await send(head_, {}, {});
}

Task<bool> ServerStream::write(std::string_view piece) {
    if (piece.empty() || framing_.kind == Framing::Kind::none) co_return !broken_;
    written_ += piece.size();
    if (framing_.kind == Framing::Kind::length && written_ > framing_.length) co_return false;
    if (framing_.kind != Framing::Kind::chunks) co_return co_await send({}, piece, {});
    head_ = chunk_head(piece.size());
    co_return co_await send(head_, piece, chunk_end);
}

Task<bool> ServerStream::end() {
    if (framing_.kind == Framing::Kind::length && written_ != framing_.length) co_return false;
    ended_ = co_await send({}, framing_.kind == Framing::Kind::chunks ? last_chunk : "", {});
    co_return ended_;
}

Task<bool> ServerStream::respond(const Response& response) {
    co_return co_await begin(response,
                             {.kind = Framing::Kind::length, .length = response.body.size()}) &&
        co_await write(response.body) && co_await end();
}

Task<bool> ServerStream::switch_protocols(const Response& head) {
    ensure(!begun() && head.status == 101, "an answer begins once");
    status_ = head.status;
    head_.clear();
    append_head(head_, head, {.date = listener_.date(), .request_id = request().request_id});
    co_return co_await send(head_, {}, {});
}

Task<std::optional<std::string_view>> ServerStream::read_raw() {
    if (connection_.unread().empty()) {
        error_code error;
        connection_.widen(piece_bytes);
        const std::size_t count = co_await connection_.socket().async_read_some(
            connection_.room(), asio::redirect_error(use_task, error));
        connection_.add(count);
        if (error == asio::error::eof) co_return std::string_view();
        if (error) co_return std::nullopt;
    }
    const std::string_view bytes = connection_.unread();
    connection_.take(bytes.size());
    co_return bytes;
}

Task<bool> ServerStream::write_raw(std::string_view bytes) {
    co_return co_await send({}, bytes, {});
}

void ServerStream::end_raw() {
    error_code ignored;
    connection_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
}

void ServerStream::abort() {
    broken_ = true;
    if (framing_.kind == Framing::Kind::close) {
        connection_.reset();
    } else {
        connection_.close();
    }
}

Task<bool> ServerStream::drop_body() {
    read_again();
    for (;;) {
        const auto piece = co_await read();
        if (!piece) co_return false;
        if (piece->empty()) co_return true;
    }
}

}  // namespace rollcall::http
