#include "http/client.hpp"

#include "base/timeout.hpp"
#include "http/client_pool.hpp"

#include <boost/asio/redirect_error.hpp>
#include <utility>

namespace rollcall::http {

using boost::system::error_code;

ClientPool::Lease::Lease(std::shared_ptr<ClientPool> pool, Origin& origin)
    : pool_(std::move(pool)), origin_(origin) {}

ClientPool::Lease::~Lease() {
    pool_->release(origin_);
}

Task<> ClientPool::Lease::renew(const UpstreamUrl& url, std::string_view& phase) {
    kept_ = false;
    connection_.reset();
    connection_ = co_await pool_->open(url, phase);
}

void ClientPool::Lease::keep() {
    pool_->keep(origin_, std::move(connection_));
}

ClientPool::ClientPool(Executor executor, ClientConfig config)
    : executor_(executor), config_(std::move(config)), reaper_(executor) {
    ensure(config_.connections_per_host_max > 0, "client: at least one connection");
}

Task<Response> ClientPool::send(ClientRequest request) {
    const auto self = shared_from_this();
    const auto url = parse_upstream_url(request.url);
    if (!url) throw Unavailable(url.error().message);
    const auto limit = request.timeout;
    WireRequest message(std::move(request), *url, config_);
    std::string_view phase = "a free connection";
    auto response = co_await with_timeout(exchange(message, *url, phase), limit);
    if (!response) {
        throw Unavailable(url->origin() + ": timeout: no response within " +
                          std::to_string(limit.count()) + " ms, waiting for " + std::string(phase));
    }
    co_return std::move(*response);
}

Task<std::unique_ptr<ClientConnection>> ClientPool::open(const UpstreamUrl& url,
                                                         std::string_view& phase) {
    return ClientConnection::open(url, tls_for(url), phase);
}

Task<std::unique_ptr<ClientPool::Lease>> ClientPool::lease(const UpstreamUrl& url,
                                                           std::string_view& phase, bool fresh) {
    const auto self = shared_from_this();
    Origin& origin = origins_[url.origin()];
    phase = "a free connection";
    co_await acquire(origin);
    auto lease = std::make_unique<Lease>(self, origin);
    if (!fresh) lease->connection_ = take_idle(origin);
    lease->kept_ = lease->connection_ != nullptr;
    if (!lease->kept_) co_await lease->renew(url, phase);
    co_return lease;
}

Task<Response> ClientPool::exchange(WireRequest& request, const UpstreamUrl& url,
                                    std::string_view& phase) {
    const auto held = co_await lease(url, phase);
    for (;;) {
        phase = "the response";
        Exchange result = co_await held->connection().exchange(request, config_);
        if (result.response) {
            if (result.keep) held->keep();
            co_return std::move(*result.response);
        }
        // The peer may have closed a kept connection while the request was on its way.
        const bool again =
            held->kept() && !result.answered && (request.idempotent() || !result.sent);
        if (!again) throw Unavailable(url.origin() + ": " + result.failure);
        co_await held->renew(url, phase);
    }
}

Task<> ClientPool::acquire(Origin& origin) {
    if (origin.in_use < config_.connections_per_host_max) {
        ++origin.in_use;
        co_return;
    }
    Waiter waiter{.granted_signal = SteadyTimer(executor_)};
    waiter.granted_signal.expires_at(SteadyTime::max());
    // Leaves the line when it is cancelled or the event loop is torn down.
    const auto leave_line = [&origin](Waiter* gone) { std::erase(origin.waiting, gone); };
    const std::unique_ptr<Waiter, decltype(leave_line)> in_line(&waiter, leave_line);
    origin.waiting.push_back(&waiter);
    error_code ignored;
    co_await waiter.granted_signal.async_wait(asio::redirect_error(use_task, ignored));
    if (!waiter.granted) throw Unavailable("cancelled while waiting for a connection");
}

// The place goes to who waits longest, else it is free.
void ClientPool::release(Origin& origin) {
    if (origin.waiting.empty()) {
        --origin.in_use;
        return;
    }
    Waiter& next = *origin.waiting.front();
    origin.waiting.pop_front();
    next.granted = true;
    next.granted_signal.cancel();
}

std::unique_ptr<ClientConnection> ClientPool::take_idle(Origin& origin) const {
    const SteadyTime oldest = real_clock().steady() - config_.idle_timeout;
    while (!origin.idle.empty()) {
        Idle last = std::move(origin.idle.back());
        origin.idle.pop_back();
        if (last.since >= oldest && last.connection->usable()) return std::move(last.connection);
    }
    return nullptr;
}

void ClientPool::keep(Origin& origin, std::unique_ptr<ClientConnection> connection) {
    if (stopped_ || origin.idle.size() >= config_.connections_per_host_max) return;
    origin.idle.push_back({.connection = std::move(connection), .since = real_clock().steady()});
    schedule_reap();
}

TlsContext* ClientPool::tls_for(const UpstreamUrl& url) {
    if (!url.tls) return nullptr;
    if (!tls_) tls_.emplace(config_.ca_file);
    return &*tls_;
}

void ClientPool::schedule_reap() {
    if (std::exchange(reaping_, true)) return;
    reaper_.expires_after(config_.idle_timeout);
    reaper_.async_wait([weak = weak_from_this()](const error_code& error) {
        const auto self = weak.lock();
        if (self && !error) self->reap();
    });
}

void ClientPool::reap() {
    reaping_ = false;
    const SteadyTime oldest = real_clock().steady() - config_.idle_timeout;
    bool some_left = false;
    for (auto at = origins_.begin(); at != origins_.end();) {
        Origin& origin = at->second;
        std::erase_if(origin.idle, [&](const Idle& idle) {
            return idle.since <= oldest || !idle.connection->usable();
        });
        some_left = some_left || !origin.idle.empty();
        const bool forgotten = origin.idle.empty() && origin.in_use == 0;
        at = forgotten ? origins_.erase(at) : std::next(at);
    }
    if (some_left && !stopped_) schedule_reap();
}

void ClientPool::stop() {
    stopped_ = true;
    reaper_.cancel();
    for (auto& [name, origin] : origins_) origin.idle.clear();
}

Client::Client(Executor executor, ClientConfig config)
    : pool_(std::make_shared<ClientPool>(executor, std::move(config))) {}

Client::~Client() {
    pool_->stop();
}

Task<Response> Client::send(ClientRequest request) {
    return pool_->send(std::move(request));
}

}  // namespace rollcall::http
