#include "sim/clerk_session_control.hpp"

#include "sim/clerk_query.hpp"
#include "sim/control_json.hpp"
#include "sim/control_route.hpp"

#include <boost/json/array.hpp>
#include <functional>
#include <ranges>
#include <utility>

namespace rollcall::sim {

namespace {

using control::answer;
using control::body_of;
using control::typed;

constexpr std::size_t list_max = 1000;
constexpr std::int64_t lifetime_max = 315'360'000;

std::unexpected<Error> wrong(std::string message) {
    return fail(ErrorCode::invalid_input, std::move(message));
}

const std::string& in_path(const http::Request& request, const std::string& name) {
    return request.path_parameters.find(name)->second;
}

Result<std::string> text_of(const json::object& body, std::string_view name,
                            std::string_view otherwise = {}) {
    std::string error;
    const auto* value = typed(body, name, json::kind::string, error);
    if (!error.empty()) return wrong(error);
    return value == nullptr ? std::string(otherwise) : std::string(value->get_string());
}

Result<bool> flag_of(const json::object& body, std::string_view name, bool otherwise = false) {
    std::string error;
    const auto* value = typed(body, name, json::kind::bool_, error);
    if (!error.empty()) return wrong(error);
    return value == nullptr ? otherwise : value->get_bool();
}

Result<json::object> object_of(const json::object& body, std::string_view name) {
    std::string error;
    const auto* value = typed(body, name, json::kind::object, error);
    if (!error.empty()) return wrong(error);
    return value == nullptr ? json::object() : value->get_object();
}

Result<std::vector<std::string>> permissions_of(const json::object& organization) {
    std::vector<std::string> permissions;
    const auto* list = organization.if_contains("permissions");
    if (list == nullptr) return permissions;
    if (!list->is_array()) return wrong("permissions has the wrong type");
    for (const auto& item : list->get_array()) {
        if (!item.is_string()) return wrong("permissions must be strings");
        permissions.emplace_back(item.get_string());
    }
    if (!can_pack(permissions)) {
        return wrong("permissions must be org:feature:permission, 60 at most");
    }
    return permissions;
}

Result<std::int64_t> lifetime_of(const json::object& body) {
    const auto* value = body.if_contains("lifetime_seconds");
    if (value == nullptr) return TokenOptions::lifetime_default;
    boost::system::error_code error;
    const auto seconds = value->to_number<std::int64_t>(error);
    if (error || seconds < 1 || seconds > lifetime_max) {
        return wrong("lifetime_seconds must be whole seconds from 1 to 315360000");
    }
    return seconds;
}

Result<bool> is_version_1(const json::object& body) {
    const auto* value = body.if_contains("version");
    if (value == nullptr || *value == 2) return false;
    if (*value == 1) return true;
    return wrong("version must be 1 or 2");
}

}  // namespace

void ClerkSessionControl::add_to(http::Router& router) {
    const auto add = [&](std::string_view method, std::string pattern, auto answer) {
        add_control_route(router, method, std::move(pattern), std::bind_front(answer, this));
    };
    add("GET", "/sim/sessions", &ClerkSessionControl::list_sessions);
    add("POST", "/sim/sessions", &ClerkSessionControl::start_session);
    for (const auto& [word, how] :
         {std::pair{"end", SessionStatus::ended}, std::pair{"remove", SessionStatus::removed},
          std::pair{"revoke", SessionStatus::revoked}}) {
        add_control_route(
            router, "POST", "/sim/sessions/{id}/" + std::string(word),
            [this, how](const http::Request& request) { return finish_session(request, how); });
    }
    add("POST", "/sim/tokens", &ClerkSessionControl::make_token);
    add("GET", "/sim/keys", &ClerkSessionControl::list_keys);
    add("POST", "/sim/keys/rotate", &ClerkSessionControl::rotate_keys);
    add("DELETE", "/sim/keys/{kid}", &ClerkSessionControl::withdraw_key);
}

Result<std::string> ClerkSessionControl::user_of(const json::object& body) const {
    auto id = text_of(body, "user_id");
    if (!id) return id;
    if (id->empty()) {
        const auto oldest = clerk_->users.list({.descending = false, .limit = 1});
        if (oldest.empty()) return fail(ErrorCode::not_found, "there is no user");
        return oldest.front()->id;
    }
    if (clerk_->users.find(*id) == nullptr) return fail(ErrorCode::not_found, "no such user");
    return id;
}

Result<ClerkSession> ClerkSessionControl::session_of(const json::object& body) {
    const auto id = text_of(body, "session_id");
    if (!id) return std::unexpected(id.error());
    if (!id->empty()) {
        const auto* named = clerk_->sessions.find(*id);
        if (named == nullptr) return fail(ErrorCode::not_found, "no such session");
        return *named;
    }
    const auto user = user_of(body);
    if (!user) return std::unexpected(user.error());
    if (const auto* newest = clerk_->sessions.newest_of(*user, clerk_->now())) return *newest;
    return clerk_->sign_in(*user, SessionStatus::active, std::nullopt, {});
}

Result<std::optional<ActiveOrganization>> ClerkSessionControl::organization_of(
    const json::object& body) {
    if (!body.contains("organization")) return std::nullopt;
    const auto wanted = object_of(body, "organization");
    if (!wanted) return std::unexpected(wanted.error());
    const auto id = text_of(*wanted, "id");
    const auto slug = text_of(*wanted, "slug");
    const auto role = text_of(*wanted, "role", "org:member");
    if (!id || !slug || !role) return wrong("id, slug and role of an organization are strings");
    auto permissions = permissions_of(*wanted);
    if (!permissions) return std::unexpected(permissions.error());
    return ActiveOrganization{.id = id->empty() ? clerk_->ids.make("org_") : *id,
                              .slug = *slug,
                              .role = *role,
                              .permissions = *std::move(permissions)};
}

Result<TokenOptions> ClerkSessionControl::options_of(const json::object& body) {
    TokenOptions options;
    const auto lifetime = lifetime_of(body);
    if (!lifetime) return std::unexpected(lifetime.error());
    const auto version_1 = is_version_1(body);
    if (!version_1) return std::unexpected(version_1.error());
    const auto of_template = flag_of(body, "template");
    const auto expired = flag_of(body, "expired");
    const auto pending = flag_of(body, "pending");
    if (!of_template || !expired || !pending) {
        return wrong("template, expired and pending are true or false");
    }
    auto organization = organization_of(body);
    if (!organization) return std::unexpected(organization.error());
    const auto azp = text_of(body, "azp");
    const auto kid = text_of(body, "kid");
    if (!azp || !kid) return wrong("azp and kid are strings");
    auto header = object_of(body, "header");
    auto claims = object_of(body, "claims");
    if (!header || !claims) return wrong("header and claims are objects");
    options.lifetime = *lifetime;
    options.version_1 = *version_1;
    options.of_template = *of_template;
    options.expired = *expired;
    if (body.contains("pending")) options.pending = *pending;
    options.organization = *std::move(organization);
    if (!azp->empty()) options.azp = *azp;
    options.header = *std::move(header);
    if (!kid->empty()) options.header["kid"] = *kid;
    options.claims = *std::move(claims);
    return options;
}

http::Response ClerkSessionControl::list_sessions(const http::Request& request) {
    const QueryPairs query(request.query);
    json::array list;
    for (const auto& session : std::views::reverse(clerk_->sessions.all()) | std::views::values) {
        if (list.size() >= list_max) break;
        if (query.has("user_id") && session.user_id != query.get("user_id")) continue;
        list.emplace_back(to_json(session, clerk_->now()));
    }
    return answer(
        json::object{{"total", clerk_->sessions.all().size()}, {"sessions", std::move(list)}});
}

http::Response ClerkSessionControl::start_session(const http::Request& request) {
    const auto body = body_of(request, {"user_id", "pending", "organization"});
    if (!body) return http::Response::error(body.error());
    const auto user = user_of(*body);
    if (!user) return http::Response::error(user.error());
    const auto pending = flag_of(*body, "pending");
    if (!pending) return http::Response::error(pending.error());
    auto organization = organization_of(*body);
    if (!organization) return http::Response::error(organization.error());
    const auto status = *pending ? SessionStatus::pending : SessionStatus::active;
    return answer(
        to_json(clerk_->sign_in(*user, status, *std::move(organization), {}), clerk_->now()));
}

http::Response ClerkSessionControl::finish_session(const http::Request& request,
                                                   SessionStatus how) {
    auto* session = clerk_->sessions.find(in_path(request, "id"));
    if (session == nullptr) return control::not_found("no such session");
    clerk_->sign_out(*session, how, {});
    return answer(to_json(*session, clerk_->now()));
}

http::Response ClerkSessionControl::make_token(const http::Request& request) {
    const auto body = body_of(
        request, {"user_id", "session_id", "azp", "version", "template", "pending", "expired",
                  "lifetime_seconds", "organization", "kid", "header", "claims"});
    if (!body) return http::Response::error(body.error());
    const auto options = options_of(*body);
    if (!options) return http::Response::error(options.error());
    const auto session = session_of(*body);
    if (!session) return http::Response::error(session.error());
    const auto token = mint(*clerk_, *session, *options);
    if (QueryPairs(request.query).get("format") == "text") {
        return http::Response::text(200, token.jwt);
    }
    return answer(json::object{{"jwt", token.jwt},
                               {"user_id", session->user_id},
                               {"session_id", session->id},
                               {"header", token.header},
                               {"claims", token.claims}});
}

http::Response ClerkSessionControl::list_keys(const http::Request& /*request*/) {
    json::array list;
    for (const auto& [kid, key] : clerk_->keys.published()) {
        list.emplace_back(json::object{
            {"kid", kid}, {"current", list.empty()}, {"public_pem", key.public_pem()}});
    }
    return answer(json::object{{"issuer", ClerkInstance::issuer}, {"keys", std::move(list)}});
}

http::Response ClerkSessionControl::rotate_keys(const http::Request& request) {
    const auto body = body_of(request, {"overlap"});
    if (!body) return http::Response::error(body.error());
    const auto overlap = flag_of(*body, "overlap", /*otherwise=*/true);
    if (!overlap) return http::Response::error(overlap.error());
    clerk_->rotate_keys(*overlap);
    return list_keys(request);
}

http::Response ClerkSessionControl::withdraw_key(const http::Request& request) {
    if (!clerk_->keys.withdraw(in_path(request, "kid"))) {
        return control::not_found("no key of this name but the one that signs");
    }
    return list_keys(request);
}

}  // namespace rollcall::sim
