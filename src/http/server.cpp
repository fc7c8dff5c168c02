#include "http/server.hpp"

#include "http/listener.hpp"

namespace rollcall::http {

std::shared_ptr<ServerMetrics> make_server_metrics(MetricsRegistry& registry) {
    return std::make_shared<ServerMetrics>(registry);
}

Server::Server(Executor executor, ServerConfig config, const Router& router,
               std::shared_ptr<ServerMetrics> metrics)
    : listener_(
          std::make_shared<Listener>(executor, std::move(config), router, std::move(metrics))) {}

Server::~Server() {
    listener_->stop();
}

Result<void> Server::start() {
    return listener_->start();
}

unsigned short Server::port() const {
    return listener_->port();
}

Task<> Server::drain(std::chrono::milliseconds limit) {
    co_await listener_->drain(limit);
}

}  // namespace rollcall::http
