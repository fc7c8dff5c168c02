#include "http/client_connection.hpp"

#include "base/timeout.hpp"
#include "http/socket.hpp"
#include "http/syntax.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <array>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <charconv>
#include <ctime>
#include <vector>

namespace rollcall::http {
namespace {

namespace beast = boost::beast;
namespace wire = boost::beast::http;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

using Endpoints = std::vector<tcp::endpoint>;
using TlsStream = ssl::stream<Socket>;

constexpr int interim_responses_max = 8;
// Beast reads as much at once as the buffer has room for: with none reserved, 512 bytes, and a page
// of users would take thousands of reads.
constexpr std::size_t read_bytes = 64UL * 1024;
// Of several addresses, one that does not answer must not use up the request's whole time.
constexpr std::chrono::seconds connect_limit_when_more{3};

struct Lookup {
    explicit Lookup(Executor executor) : resolver(executor), done(executor) {
        done.expires_at(SteadyTimer::time_point::max());
    }
    asio::ip::basic_resolver<tcp, Executor> resolver;
    SteadyTimer done;
    bool finished = false;
    error_code error;
    Endpoints endpoints;
};

// getaddrinfo cannot be cancelled, so the lookup is left to itself when time is up.
Task<Endpoints> look_up(const UpstreamUrl& url) {
    const auto lookup = std::make_shared<Lookup>(co_await asio::this_coro::executor);
    lookup->resolver.async_resolve(
        url.host, url.port,
        [lookup](const error_code& error, const tcp::resolver::results_type& results) {
            lookup->finished = true;
            lookup->error = error;
            for (const auto& entry : results) lookup->endpoints.push_back(entry.endpoint());
            lookup->done.cancel();
        });
    error_code ignored;
    co_await lookup->done.async_wait(asio::redirect_error(use_task, ignored));
    if (!lookup->finished) throw Unavailable(url.origin() + ": dns: cancelled");
    if (lookup->error) throw Unavailable(url.origin() + ": dns: " + lookup->error.message());
    co_return std::move(lookup->endpoints);
}

Task<Endpoints> resolve(const UpstreamUrl& url) {
    unsigned short port = 0;
    std::from_chars(url.port.data(), url.port.data() + url.port.size(), port);
    if (url.host_is_address) co_return Endpoints{{asio::ip::make_address(url.host), port}};
    // Never asked of a name server: plain http is allowed there because it is this machine.
    if (url.host == "localhost") {
        co_return Endpoints{{asio::ip::address_v4::loopback(), port},
                            {asio::ip::address_v6::loopback(), port}};
    }
    co_return co_await look_up(url);
}

Task<error_code> connect_to(Socket& socket, tcp::endpoint endpoint) {
    error_code error;
    co_await socket.async_connect(endpoint, asio::redirect_error(use_task, error));
    co_return error;
}

Task<> connect(Socket& socket, const UpstreamUrl& url, const Endpoints& endpoints) {
    error_code first;  // tells most: "localhost" means 127.0.0.1 before ::1
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        error_code ignored;
        socket.close(ignored);
        error_code error;
        if (i + 1 == endpoints.size()) {
            error = co_await connect_to(socket, endpoints[i]);
        } else {
            const auto done =
                co_await with_timeout(connect_to(socket, endpoints[i]), connect_limit_when_more);
            error = done.value_or(asio::error::timed_out);
        }
        if (!error) {
            socket.set_option(tcp::no_delay(true), ignored);
            co_return;
        }
        if (!first) first = error;
    }
    throw Unavailable(url.origin() +
                      ": connect: " + (first ? first.message() : "the name has no address"));
}

// The peer has to prove that it is the host of the URL.
void expect_host(SSL* handle, const UpstreamUrl& url) {
    bool good = true;
    if (url.host_is_address) {
        good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handle), url.host.c_str()) == 1;
    } else {
        SSL_set_hostflags(handle, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        good = SSL_set1_host(handle, url.host.c_str()) == 1 &&
               SSL_set_tlsext_host_name(handle, url.host.c_str()) == 1;
    }
    ensure(good, "OpenSSL takes the name of a host");
}

Task<> shake_hands(TlsStream& stream, const UpstreamUrl& url) {
    expect_host(stream.native_handle(), url);
    error_code error;
    co_await stream.async_handshake(ssl::stream_base::client,
                                    asio::redirect_error(use_task, error));
    if (!error) co_return;
    const long verified = SSL_get_verify_result(stream.native_handle());
    throw Unavailable(
        url.origin() + ": tls: " +
        (verified == X509_V_OK ? error.message() : X509_verify_cert_error_string(verified)));
}

std::string reason_for(const error_code& error) {
    if (error == wire::error::body_limit) return "too large: the response's body";
    if (error == wire::error::header_limit) return "too large: the response's header";
    if (error == wire::error::end_of_stream || error == wire::error::partial_message ||
        error == asio::error::eof || error == asio::error::connection_reset ||
        error == asio::error::broken_pipe || error == ssl::error::stream_truncated) {
        return "closed: the connection ended before the response did";
    }
    if (error.category() == make_error_code(wire::error::bad_version).category()) {
        return "bad response: " + error.message();
    }
    return "closed: " + error.message();
}

Response to_response(wire::response<wire::string_body> message) {
    Response response;
    response.status = message.result_int();
    for (const auto& field : message) {
        response.headers.add({field.name_string().data(), field.name_string().size()},
                             {field.value().data(), field.value().size()});
    }
    response.body = std::move(message.body());
    return response;
}

bool is_framing(std::string_view name) {
    return same_name(name, "content-length") || same_name(name, "transfer-encoding") ||
           same_name(name, "connection") || same_name(name, "host");
}

}  // namespace

struct TlsContext::Native {
    ssl::context context{ssl::context::tls_client};
};

TlsContext::TlsContext(const std::string& ca_file) : native_(std::make_unique<Native>()) {
    ssl::context& context = native_->context;
    ensure(SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION) == 1,
           "OpenSSL knows TLS 1.2");
    context.set_verify_mode(ssl::verify_peer);
    error_code error;
    if (ca_file.empty()) {
        context.set_default_verify_paths(error);
    } else {
        context.load_verify_file(ca_file, error);
    }
    if (error) throw Unavailable("tls: the file of CA certificates: " + error.message());
}

TlsContext::~TlsContext() = default;

struct WireRequest::Native {
    wire::request<wire::string_body> message;
};

WireRequest::WireRequest(ClientRequest request, const UpstreamUrl& url, const ClientConfig& config)
    : native_(std::make_unique<Native>()) {
    auto& message = native_->message;
    message.version(11);
    message.method_string(request.method);
    message.target(url.target);
    message.set(wire::field::host, url.authority);
    message.set(wire::field::user_agent, config.user_agent);
    bool good = is_token(request.method) && is_field_value(config.user_agent);
    for (const auto& [name, value] : request.headers.all()) {
        good = good && is_token(name) && is_field_value(value);
        if (!is_framing(name)) message.insert(name, value);
    }
    if (!good) {
        throw Unavailable(url.origin() + ": the request has a field with control characters");
    }
    message.body() = std::move(request.body);
    message.prepare_payload();
}

WireRequest::~WireRequest() = default;

bool WireRequest::idempotent() const {
    static constexpr std::array methods{wire::verb::get, wire::verb::head, wire::verb::put,
                                        wire::verb::delete_, wire::verb::options};
    return std::ranges::find(methods, native_->message.method()) != methods.end();
}

struct ClientConnection::Native {
    Native(Executor executor, TlsContext* tls) {
        buffer.reserve(read_bytes);
        if (tls == nullptr) {
            plain.emplace(executor);
        } else {
            encrypted.emplace(executor, tls->native().context);
        }
    }
    Socket& socket() { return plain ? *plain : encrypted->next_layer(); }

    std::optional<Socket> plain;
    std::optional<TlsStream> encrypted;
    beast::flat_buffer buffer;
};

ClientConnection::ClientConnection(std::unique_ptr<Native> native) : native_(std::move(native)) {}
ClientConnection::~ClientConnection() = default;

Task<std::unique_ptr<ClientConnection>> ClientConnection::open(const UpstreamUrl& url,
                                                               TlsContext* tls,
                                                               std::string_view& phase) {
    auto native = std::make_unique<Native>(co_await asio::this_coro::executor, tls);
    phase = "dns";
    const Endpoints endpoints = co_await resolve(url);
    phase = "connect";
    co_await connect(native->socket(), url, endpoints);
    if (tls != nullptr) {
        phase = "tls";
        co_await shake_hands(*native->encrypted, url);
    }
    co_return std::unique_ptr<ClientConnection>(new ClientConnection(std::move(native)));
}

std::optional<SystemTime> ClientConnection::certificate_end() const {
    if (!native_->encrypted) return std::nullopt;
    const std::unique_ptr<X509, decltype(&X509_free)> shown(
        SSL_get1_peer_certificate(native_->encrypted->native_handle()), &X509_free);
    std::tm end{};
    if (shown == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(shown.get()), &end) != 1) {
        return std::nullopt;
    }
    return SystemTime(std::chrono::seconds(timegm(&end)));
}

bool ClientConnection::usable() {
    if (native_->buffer.size() > 0) return false;
    char byte = 0;
    const auto count = recv(native_->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

namespace {

template <class Stream>
Task<Exchange> exchange_on(Stream& stream, beast::flat_buffer& buffer,
                           wire::request<wire::string_body>& message, const ClientConfig& config) {
    Exchange result;
    error_code error;
    const std::size_t sent =
        co_await wire::async_write(stream, message, asio::redirect_error(use_task, error));
    result.sent = sent > 0;
    if (error && !result.sent) {
        result.failure = reason_for(error);
        co_return result;
    }
    // Read even when the request could not be sent whole: the peer may have answered and closed.
    for (int i = 0; i < interim_responses_max; ++i) {
        wire::response_parser<wire::string_body> parser;
        parser.header_limit(static_cast<std::uint32_t>(config.header_bytes_max));
        parser.body_limit(config.body_bytes_max);
        parser.skip(message.method() == wire::verb::head);
        co_await wire::async_read(stream, buffer, parser, asio::redirect_error(use_task, error));
        result.answered = result.answered || parser.got_some() || buffer.size() > 0;
        if (error) {
            result.failure = reason_for(error);
            co_return result;
        }
        const bool interim = parser.get().result_int() < 200;
        if (interim && parser.get().result_int() != 101) continue;
        result.keep = parser.keep_alive() && buffer.size() == 0 && sent > 0 && !interim;
        result.response = to_response(parser.release());
        co_return result;
    }
    result.failure = "bad response: interim responses without end";
    co_return result;
}

}  // namespace

Task<Exchange> ClientConnection::exchange(WireRequest& request, const ClientConfig& config) {
    auto& message = request.native().message;
    if (native_->plain) {
        co_return co_await exchange_on(*native_->plain, native_->buffer, message, config);
    }
    co_return co_await exchange_on(*native_->encrypted, native_->buffer, message, config);
}

std::string_view ClientConnection::unread() const {
    const auto data = native_->buffer.cdata();
    return {static_cast<const char*>(data.data()), data.size()};
}

void ClientConnection::take(std::size_t count) {
    native_->buffer.consume(count);
}

Task<std::optional<std::size_t>> ClientConnection::fill() {
    auto& buffer = native_->buffer;
    if (buffer.size() >= read_bytes) co_return std::nullopt;
    const auto room = buffer.prepare(read_bytes - buffer.size());
    error_code error;
    std::size_t count = 0;
    if (native_->plain) {
        count =
            co_await native_->plain->async_read_some(room, asio::redirect_error(use_task, error));
    } else {
        count = co_await native_->encrypted->async_read_some(room,
                                                             asio::redirect_error(use_task, error));
    }
    buffer.commit(count);
    if (error == asio::error::eof) co_return 0;
    if (error) co_return std::nullopt;
    co_return count;
}

Task<bool> ClientConnection::write(std::string_view head, std::string_view piece,
                                   std::string_view tail) {
    const std::array<asio::const_buffer, 3> parts{asio::const_buffer(head.data(), head.size()),
                                                  asio::const_buffer(piece.data(), piece.size()),
                                                  asio::const_buffer(tail.data(), tail.size())};
    error_code error;
    if (native_->plain) {
        co_await asio::async_write(*native_->plain, parts, asio::redirect_error(use_task, error));
    } else {
        co_await asio::async_write(*native_->encrypted, parts,
                                   asio::redirect_error(use_task, error));
    }
    co_return !error;
}

void ClientConnection::end_sending() {
    if (native_->encrypted) return close();
    error_code ignored;
    native_->plain->shutdown(asio::socket_base::shutdown_send, ignored);
}

void ClientConnection::close() {
    error_code ignored;
    native_->socket().close(ignored);
}

}  // namespace rollcall::http
