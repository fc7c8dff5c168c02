#include "sim/control_route.hpp"

#include "sim/clerk_endpoint.hpp"

#include <utility>

namespace rollcall::sim {

namespace {

// The host of "host", "host:port", "[::1]:port".
std::string_view host_of(std::string_view authority) {
    if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
    return authority.substr(0, authority.find(':'));
}

}  // namespace

bool from_this_machine(const http::Request& request) {
    const auto host = request.headers.get("host");
    if (!host || !is_loopback_host(host_of(*host))) return false;
    const auto origin = request.headers.get("origin");
    if (!origin) return true;
    const auto scheme_end = origin->find("://");
    return scheme_end != std::string_view::npos &&
           is_loopback_host(host_of(origin->substr(scheme_end + 3)));
}

void add_control_route(http::Router& router, std::string_view method, std::string pattern,
                       ControlAnswer answer) {
    // Coroutines that do not wait: the lambda's captures outlive each call, the router keeps them.
    router.add({method}, std::move(pattern),
               [answer = std::move(answer)](http::Request& request) -> Task<http::Response> {
                   if (!from_this_machine(request)) {
                       co_return http::Response::error(
                           {ErrorCode::forbidden, "only for callers on this machine"});
                   }
                   co_return answer(request);
               });
}

}  // namespace rollcall::sim
