#include "sim/clerk_handlers.hpp"
#include "sim/clerk_params.hpp"
#include "sim/clerk_token.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <ranges>
#include <utility>

namespace rollcall::sim {

namespace {

constexpr std::int64_t token_seconds_min = 30;
constexpr std::int64_t token_seconds_max = 315'360'000;
constexpr std::int64_t limit_default = 10;
constexpr std::int64_t limit_max = 500;

ClerkReply no_such_session(const ApiCall& call) {
    return std::unexpected(errors::session_not_found(call.id));
}

std::expected<std::size_t, ClerkError> number(const QueryPairs& query, std::string_view name,
                                              std::int64_t low, std::int64_t high,
                                              std::int64_t otherwise) {
    if (!query.has(name)) return static_cast<std::size_t>(otherwise);
    const auto text = query.get(name);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value >= low && value <= high) {
        return static_cast<std::size_t>(value);
    }
    return std::unexpected(errors::format_invalid(name, std::string(name) + " must be between " +
                                                            std::to_string(low) + " and " +
                                                            std::to_string(high)));
}

ClerkReply make_token(ClerkInstance& clerk, const ApiCall& call, bool of_template) {
    Params params(call.body, {"expires_in_seconds"});
    std::optional<std::int64_t> seconds;
    params.number("expires_in_seconds", seconds);
    if (seconds && (*seconds < token_seconds_min || *seconds > token_seconds_max)) {
        params.complain("expires_in_seconds", "must be between 30 and 315360000");
    }
    if (params.error()) return std::unexpected(*params.error());
    const auto* session = clerk.sessions.find(call.id);
    if (session == nullptr || !session->living(clerk.now())) return no_such_session(call);
    TokenOptions options;
    options.of_template = of_template;
    options.lifetime = seconds.value_or(TokenOptions::lifetime_default);
    return json::object{{"object", "token"}, {"jwt", mint(clerk, *session, options).jwt}};
}

}  // namespace

ClerkReply list_sessions(ClerkInstance& clerk, const ApiCall& call) {
    const auto user = call.query.get("user_id");
    const auto client = call.query.get("client_id");
    const auto status = call.query.get("status");
    if (user.empty() && client.empty()) return std::unexpected(errors::param_missing("user_id"));
    const auto limit = number(call.query, "limit", 1, limit_max, limit_default);
    if (!limit) return std::unexpected(limit.error());
    const auto offset = number(call.query, "offset", 0, 1'000'000, 0);
    if (!offset) return std::unexpected(offset.error());
    json::array page;
    std::size_t total = 0;
    for (const auto& session : std::views::reverse(clerk.sessions.all()) | std::views::values) {
        if (!user.empty() && session.user_id != user) continue;
        if (!client.empty() && session.client_id != client) continue;
        auto shown = to_json(session, clerk.now());
        if (!status.empty() && shown.at("status").as_string() != status) continue;
        if (total++ >= *offset && page.size() < *limit) page.emplace_back(std::move(shown));
    }
    if (call.query.get("paginated") != "true") return page;
    return json::object{{"data", std::move(page)}, {"total_count", total}};
}

ClerkReply create_session(ClerkInstance& clerk, const ApiCall& call) {
    Params params(call.body, {"user_id", "active_organization_id"});
    std::optional<std::string> user_id, organization_id;
    params.text("user_id", user_id);
    params.text("active_organization_id", organization_id);
    if (!user_id) params.complain(errors::param_missing("user_id"));
    if (params.error()) return std::unexpected(*params.error());
    const auto* user = clerk.users.find(*user_id);
    if (user == nullptr) return std::unexpected(errors::user_not_found(*user_id));
    if (user->banned || user->locked) {
        return std::unexpected(
            errors::format_invalid("user_id", "user_id is of a user who may not sign in"));
    }
    std::optional<ActiveOrganization> organization;
    if (organization_id) {
        organization = {
            .id = *organization_id, .slug = "", .role = "org:member", .permissions = {}};
    }
    const auto& made = clerk.sign_in(*user_id, SessionStatus::active, organization, call.origin);
    return to_json(made, clerk.now());
}

ClerkReply get_session(ClerkInstance& clerk, const ApiCall& call) {
    const auto* session = clerk.sessions.find(call.id);
    if (session == nullptr) return no_such_session(call);
    return to_json(*session, clerk.now());
}

ClerkReply revoke_session(ClerkInstance& clerk, const ApiCall& call) {
    auto* session = clerk.sessions.find(call.id);
    if (session == nullptr) return no_such_session(call);
    clerk.sign_out(*session, SessionStatus::revoked, call.origin);
    return to_json(*session, clerk.now());
}

ClerkReply create_token(ClerkInstance& clerk, const ApiCall& call) {
    return make_token(clerk, call, /*of_template=*/false);
}

ClerkReply create_template_token(ClerkInstance& clerk, const ApiCall& call) {
    return make_token(clerk, call, /*of_template=*/true);
}

}  // namespace rollcall::sim
