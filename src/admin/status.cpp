#include "admin/status.hpp"

#include "admin/bearer.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace rollcall::admin {

void Status::add(std::string name, std::function<Task<std::string>()> part) {
    parts_.push_back({std::move(name), std::move(part)});
}

void Status::add_routes(http::Router& router, const Secret& token) {
    router.add({"GET"}, "/statusz",
               with_bearer(token, [this](http::Request&) { return answer(); }));
}

// Who asks how it stands while the database goes away is told of the rest.
Task<std::string> Status::value_of(const Part& part) {
    try {
        co_return co_await part.make();
    } catch (const Unavailable&) {
        co_return "null";
    }
}

Task<http::Response> Status::answer() {
    std::string body = "{";
    for (const Part& part : parts_) {
        if (body.size() > 1) body += ',';
        append_json_string(body, part.name);
        body += ':';
        body += co_await value_of(part);
    }
    body += "}";
    co_return http::Response::json(200, std::move(body));
}

void add_metrics_route(http::Router& router, const MetricsRegistry& registry) {
    router.add({"GET"}, "/metrics", [&registry](http::Request&) -> Task<http::Response> {
        auto response = http::Response::text(200, registry.render());
        response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        co_return response;
    });
}

}  // namespace rollcall::admin
