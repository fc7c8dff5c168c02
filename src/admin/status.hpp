// GET /statusz (for people, behind the admin token) and GET /metrics (for Prometheus). Each part of
// the status is made by a function that serve.cpp passes in.
#pragma once

#include "base/metrics.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "http/router.hpp"

#include <functional>
#include <string>
#include <vector>

namespace rollcall::admin {

class Status {
public:
    // `part` returns JSON text; null where it throws Unavailable. One that needs the database asks
    // first whether it is there: nobody wants to wait for that.
    void add(std::string name, std::function<Task<std::string>()> part);

    // The object must outlive the router.
    void add_routes(http::Router& router, const Secret& token);

private:
    struct Part {
        std::string name;
        std::function<Task<std::string>()> make;
    };
    Task<http::Response> answer();
    static Task<std::string> value_of(const Part& part);
    std::vector<Part> parts_;
};

// The registry must outlive the router.
void add_metrics_route(http::Router& router, const MetricsRegistry& registry);

}  // namespace rollcall::admin
