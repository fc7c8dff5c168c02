#include "sim/auth_api.hpp"

#include "http/hang_up.hpp"
#include "sim/auth_handlers.hpp"
#include "sim/gateway_page.hpp"

#include <boost/json/serialize.hpp>
#include <string>
#include <utility>

namespace rollcall::sim {

namespace json = boost::json;

namespace {

constexpr std::string_view hosted_prefix = "/auth/v1";
constexpr std::string_view users_path = "/admin/users";

http::Response hung_up() {
    http::Response response;
    response.status = http::hang_up;
    return response;
}

AuthOperation operation_of(std::string_view method, bool of_one) {
    if (method == "GET") return of_one ? AuthOperation::get : AuthOperation::list;
    if (method == "POST" && !of_one) return AuthOperation::create;
    if (method == "PUT" && of_one) return AuthOperation::update;
    if (method == "DELETE" && of_one) return AuthOperation::remove;
    return AuthOperation::other;
}

}  // namespace

AuthApi::Call AuthApi::read(const http::Request& request) const {
    Call call;
    call.path = request.path;
    if (!auth_.keys.bare()) {
        call.behind_gateway = !call.path.starts_with(hosted_prefix);
        if (call.behind_gateway) return call;
        call.path.remove_prefix(hosted_prefix.size());
    }
    auto rest = call.path;
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (!rest.starts_with(users_path)) return call;
    rest.remove_prefix(users_path.size());
    if (rest.starts_with('/')) call.id = rest.substr(1);
    const bool known = rest.empty() || (!call.id.empty() && !call.id.contains('/'));
    if (!known) return call;
    call.operation = operation_of(request.method, !call.id.empty());
    call.method_allowed = call.operation != AuthOperation::other;
    return call;
}

std::optional<http::Response> AuthApi::refuse(const http::Request& request,
                                              const Call& call) const {
    if (call.behind_gateway) {
        return http::Response::json(404, R"({"message":"no Route matched with those values"})");
    }
    return auth_.keys.refuse(request, auth_.clock.now());
}

FaultyWait AuthApi::wait_before(const http::Request& request) {
    if (refuse(request, read(request))) return {};
    auto& faults = auth_.faults;
    if (faults.strikes(Fault::auth_hang)) return {faults.hang(), /*hang=*/true};
    if (faults.strikes(Fault::auth_slow)) return {faults.slow(), /*hang=*/false};
    return {};
}

// The faults that stand in place of an answer: nothing changes.
std::optional<http::Response> AuthApi::faulty_answer(const http::Request& request,
                                                     const Call& call) {
    auto& faults = auth_.faults;
    if (faults.strikes(Fault::auth_drop_before)) return hung_up();
    if (faults.strikes(Fault::auth_401)) return auth_.keys.refusal_of_unknown(request);
    if (faults.strikes(Fault::auth_429)) {
        auto response = to_response(auth_errors::over_request_rate_limit(), request);
        if (const auto seconds = faults.auth_retry_after_seconds(); seconds > 0) {
            response.headers.set("Retry-After", std::to_string(seconds));
        }
        return response;
    }
    if (faults.strikes(Fault::auth_not_json)) {
        return gateway_page(faults.random().between(0, 1) == 0 ? 200 : 502);
    }
    const bool writes = call.operation == AuthOperation::create ||
                        call.operation == AuthOperation::update ||
                        call.operation == AuthOperation::remove;
    const bool read_only = writes && faults.strikes(Fault::auth_read_only);
    if (read_only || faults.strikes(Fault::auth_500)) {
        return to_response(auth_errors::unexpected_failure(
                               "Unexpected failure, please check server logs for more information"),
                           request);
    }
    return std::nullopt;
}

http::Response AuthApi::dispatch(const http::Request& request, const Call& call) {
    const auto refusal = [&](const AuthError& error) {
        const bool opaque = error.violation && auth_.faults.strikes(Fault::auth_opaque);
        return to_response(error, request, opaque);
    };
    AuthResult<json::object> body;
    switch (call.operation) {
        case AuthOperation::create:
            body = create_auth_user(auth_, request.body);
            break;
        case AuthOperation::get:
            body = get_auth_user(auth_, call.id);
            break;
        case AuthOperation::update:
            body = update_auth_user(auth_, call.id, request.body);
            break;
        case AuthOperation::remove:
            body = delete_auth_user(auth_, call.id, request.body);
            break;
        case AuthOperation::list: {
            auto list = list_auth_users(auth_, QueryPairs(request.query));
            if (!list) return refusal(list.error());
            auto response = http::Response::json(200, json::serialize(list->body));
            response.headers.set("X-Total-Count", std::to_string(list->total));
            response.headers.set("Link", list->link);
            return response;
        }
        case AuthOperation::other:
            if (call.path == "/token" && request.method == "POST") {
                body = sign_in_by_password(auth_, QueryPairs(request.query), request.body);
                break;
            }
            if (call.method_allowed) return http::Response::text(404, "404 page not found\n");
            return http::Response::text(405, "");
    }
    if (!body) return refusal(body.error());
    return http::Response::json(200, json::serialize(*body));
}

http::Response AuthApi::respond(const http::Request& request, const Call& call) {
    if (auto refused = refuse(request, call)) return *std::move(refused);
    if (auto faulty = faulty_answer(request, call)) return *std::move(faulty);
    auto response = dispatch(request, call);
    return auth_.faults.strikes(Fault::auth_drop) ? hung_up() : std::move(response);
}

void AuthApi::record(const http::Request& request, const Call& call, unsigned status) {
    auth_.record({.at = auth_.clock.now().time_since_epoch().count(),
                  .operation = call.operation,
                  .user_id = std::string(call.id),
                  .traceparent = std::string(request.headers.get("traceparent").value_or("")),
                  .status = status});
}

http::Response AuthApi::answer(const http::Request& request) {
    const auto call = read(request);
    auto response = respond(request, call);
    record(request, call, response.status);
    return response;
}

http::Response AuthApi::give_up(const http::Request& request) {
    auto response = gateway_page(504);
    record(request, read(request), response.status);
    return response;
}

}  // namespace rollcall::sim
