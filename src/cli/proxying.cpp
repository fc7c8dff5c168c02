#include "cli/proxying.hpp"

#include <cstdint>
#include <limits>
#include <utility>

namespace rollcall::cli {
namespace {

http::ServerConfig listener(http::ServerConfig config, const ProxySettings& settings) {
    config.listen = settings.listen;
    config.name = "gate";
    // What the application takes is the application's to say.
    config.body_bytes_max = std::numeric_limits<std::int64_t>::max();
    config.body_timeout = settings.client_timeout;
    config.write_timeout = settings.client_timeout;
    return config;
}

}  // namespace

Proxying::Proxying(Executor executor, const ProxySettings& settings,
                   http::ServerConfig public_listener, bool verbose, Neighbours neighbours)
    : relay_(executor, settings.relay, neighbours.metrics),
      server_(executor, listener(public_listener, settings), router_,
              http::make_server_metrics(neighbours.metrics)) {
    gate::add_proxy(
        router_, neighbours.decider, relay_, neighbours.random,
        {.trusted_proxies = std::move(public_listener.trusted_proxies), .verbose = verbose});
}

}  // namespace rollcall::cli
