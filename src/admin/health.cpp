#include "admin/health.hpp"

#include <fmt/format.h>

namespace rollcall::admin {
namespace {

bool names(const http::Request& request, std::string_view parameter, std::string_view value) {
    const std::string wanted = fmt::format("{}={}", parameter, value);
    std::string_view rest = request.query;
    while (!rest.empty()) {
        const auto end = rest.find('&');
        if (rest.substr(0, end) == wanted) return true;
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    return false;
}

bool verbose(const http::Request& request) {
    return request.query == "verbose" || request.query.starts_with("verbose&") ||
           request.query.starts_with("verbose=") ||
           request.query.find("&verbose") != std::string::npos;
}

}  // namespace

void Health::add(std::string name, std::function<Task<bool>()> check) {
    checks_.push_back({std::move(name), std::move(check)});
}

void Health::add_routes(http::Router& router) {
    const auto live = [](http::Request&) -> Task<http::Response> {
        co_return http::Response::text(200, "ok\n");
    };
    router.add({"GET"}, "/livez", live);
    router.add({"GET"}, "/healthz", live);
    router.add({"GET"}, "/startupz", [this](http::Request&) -> Task<http::Response> {
        co_return http::Response::text(started_ ? 200 : 503, started_ ? "ok\n" : "starting\n");
    });
    router.add({"GET"}, "/readyz", [this](http::Request& request) -> Task<http::Response> {
        co_return co_await ready(request);
    });
}

Task<http::Response> Health::ready(const http::Request& request) {
    std::string report;
    bool all_well = !draining_;
    if (draining_) report += "[-]draining\n";
    for (const Check& check : checks_) {
        if (names(request, "exclude", check.name)) {
            report += fmt::format("[ ]{} excluded\n", check.name);
            continue;
        }
        const bool well = co_await check.run();
        all_well = all_well && well;
        report += fmt::format("[{}]{} {}\n", well ? '+' : '-', check.name, well ? "ok" : "failed");
    }
    if (all_well && !verbose(request)) co_return http::Response::text(200, "ok\n");
    co_return http::Response::text(all_well ? 200 : 503, std::move(report));
}

}  // namespace rollcall::admin
