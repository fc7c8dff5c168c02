// Liveness, start and readiness, for both listeners: GET /livez (alias /healthz), GET /startupz and
// GET /readyz, which takes `?verbose` and `?exclude=name` as Kubernetes' own do. None asks Clerk or
// Supabase, and only /readyz asks anybody: a database that is away must not restart the service.
#pragma once

#include "base/task.hpp"
#include "http/router.hpp"

#include <functional>
#include <string>
#include <vector>

namespace rollcall::admin {

class Health {
public:
    // A check returns true when all is well; it must end within a second or two by itself.
    void add(std::string name, std::function<Task<bool>()> check);

    // From now on /readyz answers 503, so that load balancers look elsewhere.
    void start_draining() { draining_ = true; }
    [[nodiscard]] bool draining() const { return draining_; }

    // The first look at the schema is over, whatever it saw: /startupz answers 200 from now on. A
    // start that finds no database, or none of rollcall's, is not mended by starting anew.
    void started() { started_ = true; }

    void add_routes(http::Router& router);  // the object must outlive the router

private:
    struct Check {
        std::string name;
        std::function<Task<bool>()> run;
    };
    Task<http::Response> ready(const http::Request& request);

    std::vector<Check> checks_;
    bool started_ = false;
    bool draining_ = false;
};

}  // namespace rollcall::admin
