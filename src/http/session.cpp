#include "http/session.hpp"

#include "base/log.hpp"
#include "http/hang_up.hpp"
#include "http/response_writer.hpp"

#include <boost/asio/redirect_error.hpp>

namespace rollcall::http {
namespace {

using boost::system::error_code;
using std::chrono::milliseconds;
using Phase = RequestParser::Phase;

// How long and how much of what still comes is read before a connection is closed after its last
// answer: a close with unread input would reset it, and the answer with it. Twice what a body may
// be.
constexpr milliseconds linger_time{2'000};
constexpr std::size_t linger_bytes_max = 2 * 1024 * 1024;
// In metrics: nothing was answered, since the client had gone or the connection was broken.
constexpr unsigned client_gone = 499;
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
      connection_(std::move(socket)),
      remote_address_(address_of(connection_.socket())),
      place_(listener.enter(*this, remote_address_)),
      parser_({.header_bytes_max = listener.config.header_bytes_max,
               .body_bytes_max = listener.config.body_bytes_max,
               .in_pieces = listener.router.stream() != nullptr}) {}

Session::~Session() {
    listener_.leave(place_);
}

bool Session::close_if_silent() {
    error_code error;
    if (connection_.socket().available(error) > 0) return false;
    close();
    return true;
}

Task<> Session::run() {
    for (;;) {
        const Received received = co_await receive();
        if (received == Received::closed) break;
        if (received == Received::refused) {
            co_await refuse();
            break;
        }
        const Router::Route* const stream = listener_.router.stream();
        const Answered answered =
            stream != nullptr ? co_await answer_stream(*stream) : co_await answer();
        if (answered == Answered::last) co_await linger();
        if (answered != Answered::kept) break;
    }
    close();
}

// Reads until a request is whole, or, where it goes on as a stream, its head.
Task<Session::Received> Session::receive() {
    parser_.restart();
    timed_ = Phase::complete;
    looked_at_body_ = false;
    for (;;) {
        connection_.take(parser_.parse(connection_.unread()));
        const Phase phase = parser_.phase();
        const bool streams = listener_.router.stream() != nullptr;
        if (phase == Phase::complete || (phase == Phase::body && streams)) {
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
        const std::size_t count = co_await connection_.socket().async_read_some(
            connection_.room(), asio::redirect_error(use_task, error));
        if (idle_) {
            idle_ = false;
            listener_.set(place_, Listener::Doing::request);
        }
        if (connection_.timed_out()) {
            refusal_ = {.status = 408, .reason = "timeout"};
            co_return Received::refused;
        }
        if (error || count == 0) co_return Received::closed;
        connection_.add(count);
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
        connection_.socket().write_some(
            asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")), ignored);
    }
    if (phase == timed_) return;
    timed_ = phase;
    const ServerConfig& config = listener_.config;
    connection_.close_by(SteadyTime::max());
    if (phase == Phase::body) {
        connection_.read_by(listener_.deadline(config.body_timeout));
    } else if (phase == Phase::head) {
        connection_.read_by(listener_.deadline(config.header_timeout));
    } else {
        if (listener_.draining()) close_if_silent();
        idle_ = true;
        connection_.read_by(SteadyTime::max());
        connection_.close_by(listener_.deadline(
            fresh_ ? std::min(config.header_timeout, config.idle_timeout) : config.idle_timeout));
        idle_since_ = listener_.now();
        listener_.set(place_, fresh_ ? Listener::Doing::silent : Listener::Doing::kept);
    }
}

void Session::introduce() {
    Request& request = parser_.request();
    request.remote_address = remote_address_;
    request.client_address =
        client_address(remote_address_, request.headers, listener_.config.trusted_proxies);
    if (request.request_id.empty()) request.request_id = listener_.make_request_id();
    connection_.read_by(SteadyTime::max());
    connection_.close_by(SteadyTime::max());
}

void Session::finished(std::string_view method, unsigned status, SteadyTime began,
                       std::size_t body_bytes) {
    listener_.metrics.finished(route_, method, status,
                               std::chrono::duration<double>(real_clock().steady() - began).count(),
                               body_bytes);
    if (!log::enabled(log::Level::debug)) return;
    log::debug("http_request", {{"listener", listener_.config.name},
                                {"request_id", parser_.request().request_id},
                                {"route", route_ == nullptr ? "other" : route_->pattern},
                                {"code", status}});
}

Task<Session::Answered> Session::answer() {
    Request& request = parser_.request();
    const SteadyTime began = real_clock().steady();
    const std::size_t body_bytes = request.body.size();
    const std::string method = request.method;
    introduce();

    listener_.metrics.in_flight().Increment();
    Response response = (co_await handle(nullptr)).value_or(Response{.status = hang_up});
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
    finished(method, response.status, began, body_bytes);
    request.spare = std::move(response.headers);
    request.spare.clear();
    if (!written) co_return Answered::broken;
    co_return keep ? Answered::kept : Answered::last;
}

Task<Session::Answered> Session::answer_stream(const Router::Route& route) {
    const SteadyTime began = real_clock().steady();
    introduce();
    route_ = &route;
    ServerStream stream(listener_, connection_, parser_);
    listener_.metrics.in_flight().Increment();
    const auto response = co_await handle(&stream);
    if (response && !stream.begun()) co_await stream.respond(*response);
    listener_.metrics.in_flight().Decrement();
    finished(parser_.request().method, stream.begun() ? stream.status() : client_gone, began,
             parser_.body_bytes());
    if (!stream.ended()) co_return Answered::broken;
    if (!stream.keep()) co_return Answered::last;
    const bool dropped = co_await stream.drop_body();
    co_return dropped ? Answered::kept : Answered::broken;
}

// The seam where exceptions of handlers end.
Task<std::optional<Response>> Session::handle(ServerStream* stream) {
    if (stream == nullptr) {
        const Router::Match match = listener_.router.find(parser_.request());
        route_ = match.route;
        if (route_ == nullptr) co_return stray(short_answer(404, "Not found"));
        if (!match.method_allowed) {
            Response response = short_answer(405, "Method not allowed");
            response.headers.add("Allow", match.allow);
            co_return stray(std::move(response));
        }
    }
    try {
        if (stream != nullptr) co_return co_await route_->stream_handler(*stream);
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
    const ServerConnection::Parts parts{asio::buffer(head_), asio::buffer(body)};
    const auto written = connection_.write_now(parts);
    if (!written) co_return false;
    if (*written == head_.size() + body.size()) co_return true;
    co_return co_await connection_.write_rest(parts, *written,
                                              listener_.deadline(listener_.config.write_timeout));
}

Task<> Session::refuse() {
    log::debug("http_request_refused", {{"listener", listener_.config.name},
                                        {"reason", refusal_.reason},
                                        {"code", refusal_.status}});
    listener_.metrics.refused(refusal_.status);
    connection_.read_by(SteadyTime::max());
    const Response response = refused_
                                  ? *std::move(refused_)
                                  : short_answer(refusal_.status, reason_phrase(refusal_.status));
    if (co_await write(response, /*head_only=*/false, /*keep=*/false)) co_await linger();
}

Task<> Session::linger() {
    error_code error;
    connection_.socket().shutdown(asio::socket_base::shutdown_send, error);
    connection_.close_by(listener_.deadline(linger_time));
    connection_.drop_unread();
    for (std::size_t total = 0; !error && total < linger_bytes_max;) {
        total += co_await connection_.socket().async_read_some(
            connection_.room(), asio::redirect_error(use_task, error));
    }
}

}  // namespace rollcall::http
