#include "sim/clerk_api.hpp"

#include "base/log.hpp"
#include "http/hang_up.hpp"
#include "sim/gateway_page.hpp"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <span>
#include <utility>
#include <vector>

namespace rollcall::sim {

namespace {

constexpr std::string_view newest_version = "2026-05-12";
constexpr std::array<std::string_view, 5> versions{"2021-02-05", "2024-10-01", "2025-04-10",
                                                   "2025-11-10", newest_version};

using Handler = ClerkReply (*)(ClerkInstance&, const ApiCall&);

ClerkReply get_instance(ClerkInstance& clerk, const ApiCall& /*call*/) {
    return json::object{{"object", "instance"},
                        {"id", clerk.id},
                        {"environment_type", "development"},
                        {"allowed_origins", nullptr}};
}

struct Route {
    std::string_view method;
    std::string_view pattern;  // `*` is one segment, the id; `**` one that is not looked at
    Handler handler;
    bool changes_user = false;  // counts against the limit of one user
};

// Literal segments stand before `*`.
constexpr std::array routes{
    Route{"GET", "/v1/users", list_users},
    Route{"POST", "/v1/users", create_user},
    Route{"GET", "/v1/users/count", count_users},
    Route{"POST", "/v1/users/ban", ban_users},
    Route{"POST", "/v1/users/unban", unban_users},
    Route{"GET", "/v1/users/*", get_user},
    Route{"PATCH", "/v1/users/*", update_user, true},
    Route{"DELETE", "/v1/users/*", delete_user},
    Route{"POST", "/v1/users/*/ban", ban_user},
    Route{"POST", "/v1/users/*/unban", unban_user},
    Route{"POST", "/v1/users/*/lock", lock_user},
    Route{"POST", "/v1/users/*/unlock", unlock_user},
    Route{"PATCH", "/v1/users/*/metadata", merge_metadata, true},
    Route{"PUT", "/v1/users/*/metadata", replace_metadata, true},
    Route{"PUT", "/v1/users/*/email_address", replace_user_email},
    Route{"POST", "/v1/email_addresses", create_email},
    Route{"GET", "/v1/email_addresses/*", get_email},
    Route{"PATCH", "/v1/email_addresses/*", update_email},
    Route{"DELETE", "/v1/email_addresses/*", delete_email},
    Route{"GET", "/v1/sessions", list_sessions},
    Route{"POST", "/v1/sessions", create_session},
    Route{"GET", "/v1/sessions/*", get_session},
    Route{"POST", "/v1/sessions/*/revoke", revoke_session},
    Route{"POST", "/v1/sessions/*/tokens", create_token},
    Route{"POST", "/v1/sessions/*/tokens/**", create_template_token},
    Route{"GET", "/v1/instance", get_instance},
};

std::string_view take_segment(std::string_view& path) {
    if (path.starts_with('/')) path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    const auto segment = path.substr(0, end);
    path.remove_prefix(end);
    return segment;
}

// The id in `path` when it fits the pattern ("" where the pattern has none).
std::optional<std::string_view> fit(std::string_view pattern, std::string_view path) {
    std::string_view id;
    while (!pattern.empty() && !path.empty()) {
        const auto expected = take_segment(pattern);
        const auto segment = take_segment(path);
        if (expected == "*" && !segment.empty()) {
            id = segment;
        } else if (expected == "**" && !segment.empty()) {
            continue;
        } else if (expected != segment) {
            return std::nullopt;
        }
    }
    if (!pattern.empty() || !path.empty()) return std::nullopt;
    return id;
}

constexpr std::string_view backend_jwks = "/v1/jwks";

bool is_key_set(const http::Request& request) {
    return request.method == "GET" &&
           (request.path == backend_jwks || request.path == ClerkApi::frontend_jwks);
}

struct Found {
    const Route* route;
    std::string_view id;
};

std::optional<Found> find_route(std::string_view method, std::string_view path) {
    if (path.ends_with('/')) path.remove_suffix(1);
    for (const auto& route : routes) {
        if (route.method != method) continue;
        if (const auto id = fit(route.pattern, path)) return Found{&route, *id};
    }
    return std::nullopt;
}

// The version asked for, by header or query; nothing when it is neither absent nor a known one.
std::optional<std::string> version_of(const http::Request& request, const QueryPairs& query) {
    const auto header = request.headers.get("clerk-api-version");
    const auto parameter = query.get("__clerk_api_version");
    if (header && !parameter.empty()) return std::nullopt;
    std::string version(header ? *header : std::string_view(parameter));
    if (version.empty()) return std::string(newest_version);
    if (std::ranges::find(versions, version) == versions.end()) return std::nullopt;
    return version;
}

http::Response plain_response(unsigned status, std::string_view type, std::string body) {
    http::Response response;
    response.status = status;
    response.headers.set("Content-Type", std::string(type));
    response.body = std::move(body);
    return response;
}

}  // namespace

http::Response ClerkApi::refusal(const ClerkError& error) {
    const auto trace_id = clerk_.ids.trace_id();
    auto response =
        plain_response(error.status, "application/json", json::serialize(to_json(error, trace_id)));
    response.headers.set("X-Clerk-Trace-Id", trace_id);
    return response;
}

std::optional<ClerkError> ClerkApi::refuse(const http::Request& request) const {
    if (request.path == frontend_jwks) return std::nullopt;
    const auto header = request.headers.get("authorization");
    constexpr std::string_view scheme = "Bearer ";
    if (!header || !header->starts_with(scheme) || header->size() == scheme.size()) {
        return errors::authorization_header_invalid();
    }
    const auto key = header->substr(scheme.size());
    if (key.starts_with("sk_live_")) log::warn("sim_live_key_refused");
    if (key != clerk_.secret_key) return errors::key_invalid();
    const QueryPairs query(request.query);
    if (!version_of(request, query)) {
        return errors::api_version_invalid("it must be a known one, by header or by parameter");
    }
    return std::nullopt;
}

FaultyWait ClerkApi::wait_before(const http::Request& request) {
    if (refuse(request)) return {};
    const bool keys = is_key_set(request);
    if (clerk_.faults.strikes(keys ? Fault::jwks_hang : Fault::api_hang)) {
        return {clerk_.faults.hang(), /*hang=*/true};
    }
    if (clerk_.faults.strikes(keys ? Fault::jwks_slow : Fault::api_slow)) {
        return {clerk_.faults.slow(), /*hang=*/false};
    }
    return {};
}

// The faults that stand in place of an answer: the route is not reached and nothing changes.
std::optional<http::Response> ClerkApi::faulty_answer() {
    auto& faults = clerk_.faults;
    if (faults.strikes(Fault::api_429)) {
        auto response = refusal(errors::too_many_requests());
        response.headers.set("Retry-After", std::to_string(faults.retry_after_seconds()));
        return response;
    }
    if (faults.strikes(Fault::api_401)) return refusal(errors::key_invalid());
    if (faults.strikes(Fault::api_not_json)) return gateway_page(200);
    if (!faults.strikes(Fault::api_5xx)) return std::nullopt;
    switch (faults.random().between(0, 2)) {
        case 0:
            return refusal(errors::internal());
        case 1:
            return gateway_page(502);
        default:
            return refusal(errors::service_unavailable());
    }
}

// The key set has faults of its own: whoever lists users must not use them up.
http::Response ClerkApi::jwks_answer() {
    auto& faults = clerk_.faults;
    if (faults.strikes(Fault::jwks_drop)) return plain_response(http::hang_up, "", "");
    if (faults.strikes(Fault::jwks_500)) return refusal(errors::internal());
    if (faults.strikes(Fault::jwks_429)) {
        auto response = refusal(errors::too_many_requests());
        response.headers.set("Retry-After", std::to_string(faults.retry_after_seconds()));
        return response;
    }
    if (faults.strikes(Fault::jwks_not_json)) return gateway_page(200);
    return plain_response(200, "application/json", clerk_.keys.jwks());
}

ClerkReply ClerkApi::dispatch(const http::Request& request) {
    const auto found = find_route(request.method, request.path);
    if (!found) return std::unexpected(errors::not_found());
    ApiCall call;
    call.id = found->id;
    call.query = QueryPairs(request.query);
    call.metadata_in_patch = version_of(request, call.query) != newest_version;
    call.origin.client_ip = request.remote_address;
    call.origin.user_agent = request.headers.get("user-agent").value_or("");
    if (!request.body.empty() && request.method != "GET") {
        boost::system::error_code error;
        auto body = json::parse(request.body, error);
        if (error || !body.is_object()) return std::unexpected(errors::body_invalid());
        call.body = std::move(body.as_object());
    }
    return found->route->handler(clerk_, call);
}

http::Response ClerkApi::answer(const http::Request& request) {
    ++clerk_.api_requests;
    clerk_.api_records.push_back(
        {.at = clerk_.now(),
         .method = request.method,
         .path = request.path,
         .traceparent = std::string(request.headers.get("traceparent").value_or(""))});
    if (clerk_.api_records.size() > ClerkInstance::records_max) clerk_.api_records.pop_front();
    if (const auto error = refuse(request)) return refusal(*error);
    if (is_key_set(request)) return jwks_answer();
    const auto found = find_route(request.method, request.path);
    const auto changed = found && found->route->changes_user ? found->id : std::string_view();
    const auto wait = clerk_.rate_limiter.take(changed, clerk_.clock.steady());
    if (wait.count() > 0) {
        auto response = refusal(errors::too_many_requests());
        response.headers.set("Retry-After", std::to_string(wait.count()));
        return response;
    }
    if (auto response = faulty_answer()) return std::move(*response);

    const auto reply = dispatch(request);
    if (!reply) return refusal(reply.error());
    auto response = plain_response(200, "application/json", json::serialize(*reply));
    response.headers.set("X-Clerk-Trace-Id", clerk_.ids.trace_id());
    if (clerk_.faults.strikes(Fault::api_truncated_body)) {
        response.body.resize(response.body.size() / 2);
    }
    return response;
}

}  // namespace rollcall::sim
