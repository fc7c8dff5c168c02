#include "admin/deletion_routes.hpp"

#include "admin/bearer.hpp"
#include "admin/job_routes.hpp"
#include "admin/json_route.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <boost/json.hpp>

namespace rollcall::admin {
namespace {

namespace json = boost::json;

// A member that is not known is refused: a misspelt one would be a wider order.
Result<DeletionOrder> order_of(const http::Request& request, bool approve) {
    boost::system::error_code error;
    const json::value body = json::parse(request.body, error);
    const json::object* object = error ? nullptr : body.if_object();
    if (object == nullptr) return fail(ErrorCode::invalid_input, "the body is a JSON object");
    DeletionOrder order{.approve = approve, .by = actor_of(request)};
    for (const auto& [key, value] : *object) {
        const json::string* text = value.if_string();
        if (text != nullptr && key == "clerk_id") {
            order.clerk_id = std::string(*text);
        } else if (text != nullptr && key == "from") {
            order.from = std::string(*text);
        } else if (text != nullptr && key == "note") {
            order.note = std::string(*text);
        } else {
            return fail(ErrorCode::invalid_input,
                        std::string(key) +
                            " is not a member of this request, or no text; there are clerk_id, "
                            "from, note");
        }
    }
    if (auto good = check(order); !good) return std::unexpected(good.error());
    return order;
}

}  // namespace

Result<void> check(const DeletionOrder& order) {
    constexpr std::array<std::string_view, 3> sources{"pass", "webhook", "mirror"};
    if (order.clerk_id.has_value() == order.from.has_value() ||
        (order.clerk_id && order.clerk_id->empty())) {
        return fail(ErrorCode::invalid_input,
                    "say which deletions: those of one user, or all from pass, webhook or mirror");
    }
    if (order.from && std::ranges::find(sources, *order.from) == sources.end()) {
        return fail(ErrorCode::invalid_input, "from is one of pass, webhook, mirror");
    }
    if (order.from == "mirror" && !order.approve) {
        return fail(ErrorCode::invalid_input,
                    "the mirror's are not discarded: they stay until they are approved");
    }
    return {};
}

void add_deletion_routes(http::Router& router, const Secret& token, DeletionActions actions) {
    add_json_route(router, token, "/api/v1/deletions", std::move(actions.list));
    for (const bool approve : {true, false}) {
        router.add({"POST"}, approve ? "/api/v1/deletions/approve" : "/api/v1/deletions/discard",
                   with_bearer(token,
                               [approve, decide = actions.decide](
                                   http::Request& request) -> Task<http::Response> {
                                   auto order = order_of(request, approve);
                                   if (!order) co_return http::Response::error(order.error());
                                   auto done = co_await decide(std::move(*order));
                                   if (!done) co_return http::Response::error(done.error());
                                   co_return http::Response::json(200, std::move(*done));
                               }));
    }
}

}  // namespace rollcall::admin
