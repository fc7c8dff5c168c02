#include "admin/sync_routes.hpp"

#include "admin/bearer.hpp"
#include "admin/job_routes.hpp"

#include <utility>

namespace rollcall::admin {
namespace {

http::Response answer(Result<Synced> synced) {
    if (!synced) return http::Response::error(synced.error());
    return http::Response::json(synced->completed ? 200 : 502, std::move(synced->summary));
}

}  // namespace

void add_cron_sync_route(http::Router& router, const Secret& key, http::AddressGuard* guard,
                         std::function<Task<Result<Synced>>(bool full)> run) {
    const auto handler = [run = std::move(run)](http::Request& request) -> Task<http::Response> {
        const bool named = request.query.starts_with("mode=") || request.query.contains("&mode=");
        const std::string mode =
            named ? request.query_parameter("mode").value_or("") : "incremental";
        if (mode != "incremental" && mode != "full") {
            co_return http::Response::json(400, R"({"error":"mode must be incremental or full"})");
        }
        co_return answer(co_await run(mode == "full"));
    };
    router.add({"GET", "POST"}, "/api/cron/clerk-sync", with_bearer(key, handler, guard));
}

void add_user_sync_route(http::Router& router, const Secret& token,
                         std::function<Task<Result<Synced>>(std::string clerk_id, Actor by)> run) {
    const auto handler = [run = std::move(run)](http::Request& request) -> Task<http::Response> {
        co_return answer(co_await run(request.path_parameters["clerk_id"], actor_of(request)));
    };
    router.add({"POST"}, "/api/v1/users/{clerk_id}/sync", with_bearer(token, handler));
}

}  // namespace rollcall::admin
