#include "sim/auth_control.hpp"

#include "sim/auth_handlers.hpp"
#include "sim/control_route.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>

namespace rollcall::sim {

namespace json = boost::json;

namespace {

http::Response answer_with(const json::value& body) {
    return http::Response::json(200, json::serialize(body));
}

http::Response answer_with(const AuthResult<json::object>& result, const http::Request& request) {
    if (!result) return to_response(result.error(), request);
    return answer_with(*result);
}

}  // namespace

void AuthControl::add_to(http::Router& router) {
    const auto add = [&](std::string_view method, std::string pattern, auto answer) {
        add_control_route(router, method, std::move(pattern), std::bind_front(answer, this));
    };
    add("GET", "/sim/auth", &AuthControl::status);
    add("GET", "/sim/auth/requests", &AuthControl::list_requests);
    add("GET", "/sim/auth/users", &AuthControl::list_users);
    add("POST", "/sim/auth/users", &AuthControl::make_user);
    add("DELETE", "/sim/auth/users/{id}", &AuthControl::remove_user);
}

http::Response AuthControl::status(const http::Request& /*request*/) {
    const auto& auth = supabase_.instance();
    json::object requests;
    std::uint64_t total = 0;
    for (std::size_t at = 0; at < AuthInstance::operations; ++at) {
        requests[to_string(static_cast<AuthOperation>(at))] = auth.requests[at];
        total += auth.requests[at];
    }
    requests["total"] = total;
    json::object answers;
    for (const auto& [code, times] : auth.answers) {
        answers[code == 0 ? "none" : std::to_string(code)] = times;
    }
    return answer_with(json::object{{"url", supabase_.url()},
                                    {"listening", supabase_.listening()},
                                    {"bare", auth.keys.bare()},
                                    {"users", auth.users.size()},
                                    {"requests", std::move(requests)},
                                    {"answers", std::move(answers)}});
}

http::Response AuthControl::list_requests(const http::Request& /*request*/) {
    json::array list;
    for (const auto& one : std::views::reverse(supabase_.instance().records)) {
        list.emplace_back(json::object{{"at", one.at},
                                       {"operation", to_string(one.operation)},
                                       {"user_id", one.user_id},
                                       {"status", one.status},
                                       {"traceparent", one.traceparent}});
    }
    return answer_with(json::object{{"requests", std::move(list)}});
}

http::Response AuthControl::list_users(const http::Request& /*request*/) {
    auto& auth = supabase_.instance();
    json::array list;
    auth.users.for_each(
        [&](const AuthUser& user) { list.emplace_back(to_json(user, /*in_list=*/false)); });
    return answer_with(json::object{{"total", auth.users.size()}, {"users", std::move(list)}});
}

http::Response AuthControl::make_user(const http::Request& request) {
    return answer_with(create_auth_user(supabase_.instance(), request.body), request);
}

http::Response AuthControl::remove_user(const http::Request& request) {
    const auto& id = request.path_parameters.find("id")->second;
    return answer_with(delete_auth_user(supabase_.instance(), id, ""), request);
}

}  // namespace rollcall::sim
