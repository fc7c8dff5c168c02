#include "admin/json_route.hpp"

#include "admin/bearer.hpp"

#include <utility>

namespace rollcall::admin {

void add_json_route(http::Router& router, const Secret& token, std::string pattern,
                    std::function<Task<std::string>()> make) {
    router.add({"GET"}, std::move(pattern),
               with_bearer(token, [make = std::move(make)](http::Request&) -> Task<http::Response> {
                   co_return http::Response::json(200, co_await make());
               }));
}

}  // namespace rollcall::admin
