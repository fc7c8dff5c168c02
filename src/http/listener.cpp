#include "http/listener.hpp"

#include "base/log.hpp"
#include "http/response_writer.hpp"
#include "http/session.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <charconv>

namespace rollcall::http {
namespace {

using boost::system::error_code;
using std::chrono::milliseconds;

constexpr milliseconds sweep_period_max{250};
constexpr milliseconds sweep_period_min{5};
constexpr milliseconds accept_pause{100};
// How long idle connections are spared when others want their place.
constexpr std::chrono::seconds silent_is_spared{1};
constexpr std::chrono::seconds kept_is_spared{5};

constexpr std::string_view overloaded =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Type: application/json\r\n"
    "Retry-After: 5\r\n"
    "Content-Length: 31\r\n"
    "Connection: close\r\n\r\n"
    R"({"error":"Service unavailable"})";

// Often enough for the shortest limit; production's limits make it the maximum.
milliseconds sweep_period(const ServerConfig& config) {
    const auto shortest = std::min(
        {config.header_timeout, config.body_timeout, config.write_timeout, config.idle_timeout});
    return std::clamp(shortest / 4, sweep_period_min, sweep_period_max);
}

std::unexpected<Error> bad_listen(const std::string& listen, std::string_view why) {
    return fail(ErrorCode::bad_configuration,
                "cannot listen on \"" + listen + "\": " + std::string(why));
}

Result<asio::ip::tcp::endpoint> parse_listen(const std::string& listen) {
    constexpr std::string_view form = "an address and a port are expected, as in 127.0.0.1:8080";
    const std::size_t colon = listen.rfind(':');
    if (colon == std::string::npos) return bad_listen(listen, form);
    std::string_view host = std::string_view(listen).substr(0, colon);
    const std::string_view digits = std::string_view(listen).substr(colon + 1);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    unsigned short port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
        return bad_listen(listen, form);
    }
    if (host == "localhost") host = "127.0.0.1";
    error_code bad;
    const auto address = asio::ip::make_address(host, bad);
    if (bad || address.is_v6() != bracketed) return bad_listen(listen, form);
    return asio::ip::tcp::endpoint(address, port);
}

}  // namespace

std::string address_of(const Socket& socket) {
    error_code error;
    const auto address = socket.remote_endpoint(error).address();
    if (error) return "";
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
    }
    return address.to_string();
}

Listener::Listener(Executor executor, ServerConfig server_config, const Router& routes,
                   std::shared_ptr<ServerMetrics> families)
    : config(std::move(server_config)),
      router(routes),
      metrics(*families, config.name),
      executor_(executor),
      families_(std::move(families)),
      turned_away_(families_->refused.Add({{"listener", config.name}, {"reason", "connections"}})),
      acceptor_(executor),
      sweep_timer_(executor),
      sweep_period_(sweep_period(config)),
      now_(real_clock().steady()) {}

Result<void> Listener::start() {
    ensure(!acceptor_.is_open() && !stopped_, "a server starts once");
    const auto endpoint = parse_listen(config.listen);
    if (!endpoint) return std::unexpected(endpoint.error());
    error_code error;
    acceptor_.open(endpoint->protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(*endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        error_code ignored;
        acceptor_.close(ignored);
        return bad_listen(config.listen, error.message());
    }
    metrics.know(router);
    sweep();
    spawn(executor_, "http_accept", accept_all());
    log::info("http_listening", {{"listener", config.name},
                                 {"address", acceptor_.local_endpoint(error).address().to_string()},
                                 {"port", port()}});
    return {};
}

unsigned short Listener::port() const {
    error_code error;
    const auto endpoint = acceptor_.local_endpoint(error);
    return error ? static_cast<unsigned short>(0) : endpoint.port();
}

Task<> Listener::accept_all() {
    const auto self = shared_from_this();
    while (acceptor_.is_open()) {
        error_code error;
        Socket socket = co_await acceptor_.async_accept(asio::redirect_error(use_task, error));
        if (!acceptor_.is_open()) break;
        if (!error) {
            admit(std::move(socket));
        } else if (error != asio::error::connection_aborted) {
            // Most likely out of descriptors: asking again at once would only spin.
            log::error("http_accept_failed",
                       {{"listener", config.name}, {"reason", error.message()}});
            make_room();
            co_await sleep(accept_pause);
        }
    }
}

void Listener::admit(Socket socket) {
    error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    if (!has_room_for(address_of(socket)) ||
        (connections() >= config.connections_max && !make_room())) {
        metrics.refused(503);
        turned_away_.Increment();
        socket.write_some(asio::buffer(overloaded), ignored);
        socket.shutdown(asio::socket_base::shutdown_send, ignored);
        return;
    }
    spawn(executor_, "http_session", serve(shared_from_this(), std::move(socket)));
}

// A proxy of ours speaks for many.
std::string Listener::counted_as(const std::string& address) const {
    if (config.connections_per_address_max == 0 || config.trusted_proxies.contains(address)) {
        return "";
    }
    return rate_limit_key(address);
}

bool Listener::has_room_for(const std::string& address) const {
    const auto counted = by_address_.find(counted_as(address));
    return counted == by_address_.end() || counted->second < config.connections_per_address_max;
}

// Those who never said anything go first: who was answered may be asking again at this moment, and
// would find the connection gone.
bool Listener::make_room() {
    for (const auto [doing, spared] :
         {std::pair(Doing::silent, silent_is_spared), std::pair(Doing::kept, kept_is_spared)}) {
        for (Place place = all(doing).begin(); place != all(doing).end(); ++place) {
            if (now_ - place->session->idle_since() < spared) break;
            if (!place->session->close_if_silent()) continue;
            set(place, Doing::request);
            return true;
        }
    }
    return false;
}

std::list<Listener::Entry>& Listener::all(Doing doing) {
    if (doing == Doing::silent) return silent_;
    return doing == Doing::kept ? kept_ : active_;
}

Listener::Place Listener::enter(Session& session, const std::string& address) {
    std::string key = counted_as(address);
    if (!key.empty()) ++by_address_[key];
    return active_.insert(
        active_.end(),
        {.session = &session, .doing = Doing::request, .counted_as = std::move(key)});
}

void Listener::leave(Place place) {
    const auto counted = by_address_.find(place->counted_as);
    if (counted != by_address_.end() && --counted->second == 0) by_address_.erase(counted);
    all(place->doing).erase(place);
    tell_if_empty();
}

void Listener::set(Place place, Doing doing) {
    const Doing before = std::exchange(place->doing, doing);
    if (before != doing) all(doing).splice(all(doing).end(), all(before), place);
}

void Listener::tell_if_empty() {
    if (connections() > 0) return;
    for (SteadyTimer* timer : waiting_) timer->cancel();
}

std::string Listener::make_request_id() {
    return to_string(uuid_v7(real_clock().now().time_since_epoch().count(), random_));
}

void Listener::log_failure(std::string_view event, const Router::Route& route,
                           std::string_view reason) {
    // A database that is away fails every request: one line a second tells it.
    if (now_ < log_again_) {
        ++not_logged_;
        return;
    }
    log::error(event, {{"listener", config.name},
                       {"route", route.pattern},
                       {"reason", reason},
                       {"not_logged", std::exchange(not_logged_, 0)}});
    log_again_ = now_ + std::chrono::seconds(1);
}

void Listener::sweep() {
    now_ = real_clock().steady();
    const auto seconds =
        std::chrono::floor<std::chrono::seconds>(real_clock().now()).time_since_epoch().count();
    if (seconds != date_seconds_) {
        date_seconds_ = seconds;
        date_ = http_date(seconds);
    }
    for (const auto* list : {&active_, &silent_, &kept_}) {
        for (const Entry& entry : *list) entry.session->cut(now_);
    }
    sweep_timer_.expires_after(sweep_period_);
    sweep_timer_.async_wait([weak = weak_from_this()](const error_code& error) {
        const auto self = weak.lock();
        if (self && !error && !self->stopped_) self->sweep();
    });
}

Task<> Listener::drain(milliseconds limit) {
    const auto self = shared_from_this();
    draining_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    for (const auto* idle : {&silent_, &kept_}) {
        for (const Entry& entry : *idle) entry.session->close_if_silent();
    }
    if (connections() > 0) {
        SteadyTimer timer(executor_);
        timer.expires_after(bounded(limit));
        // Leaves the list even when the event loop is torn down meanwhile.
        const auto leave_list = [this](SteadyTimer* waiting) { std::erase(waiting_, waiting); };
        const std::unique_ptr<SteadyTimer, decltype(leave_list)> listed(&timer, leave_list);
        waiting_.push_back(&timer);
        co_await timer.async_wait(asio::redirect_error(use_task, ignored));
    }
    stop();
}

void Listener::stop() {
    draining_ = stopped_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    sweep_timer_.cancel();
    for (const auto* list : {&active_, &silent_, &kept_}) {
        for (const Entry& entry : *list) entry.session->close();
    }
}

}  // namespace rollcall::http
