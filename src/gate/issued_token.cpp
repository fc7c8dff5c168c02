#include "gate/issued_token.hpp"

#include "base/json.hpp"
#include "base/result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace rollcall::gate {
namespace {

using std::chrono::floor;
using std::chrono::seconds;

// A JSON object under construction.
class Members {
public:
    Members& text(std::string_view name, std::string_view value) {
        return raw(name, json_string(value));
    }
    Members& text_if_any(std::string_view name, std::string_view value) {
        return value.empty() ? *this : text(name, value);
    }
    Members& time(std::string_view name, std::chrono::sys_seconds value) {
        return raw(name, std::to_string(value.time_since_epoch().count()));
    }
    Members& raw(std::string_view name, std::string_view value) {
        text_ += text_.empty() ? '{' : ',';
        text_ += json_string(name);
        text_ += ':';
        text_ += value;
        return *this;
    }
    [[nodiscard]] std::string done() const { return text_ + '}'; }

private:
    std::string text_;
};

// By the names of version 1 of Clerk's session token, which policies for Clerk as a third party
// read beside those of version 2.
void add_organization(Members& members, const clerk::Organization& organization) {
    members.text("org_id", organization.id)
        .text_if_any("org_slug", organization.slug)
        .text_if_any("org_role", organization.role);
    std::string permissions;
    for (const std::string& permission : organization.permissions) {
        permissions += (permissions.empty() ? '[' : ',') + json_string(permission);
    }
    if (!permissions.empty()) members.raw("org_permissions", permissions + ']');
}

// RFC 8693, section 4.1.
std::string actor_of(const clerk::Actor& actor) {
    return Members()
        .text("sub", actor.subject)
        .text_if_any("iss", actor.issuer)
        .text_if_any("sid", actor.session)
        .done();
}

}  // namespace

std::optional<IssuedClaims> issued_claims(const clerk::SessionClaims& subject,
                                          const directory::Standing& standing,
                                          const std::string& audience, const IssueRules& rules,
                                          SystemTime now, const Uuid& token_id) {
    ensure(!standing.user_id.empty(), "a token is issued to a user who has a row");
    const auto issued = floor<seconds>(now);
    const auto expires = std::min(issued + rules.lifetime_max, floor<seconds>(subject.expires_at));
    if (expires <= issued) return std::nullopt;
    Members members;
    members.text("iss", rules.issuer)
        .text("sub", standing.user_id)
        .text("aud", audience)
        .text("role", "authenticated")
        .time("iat", issued)
        .time("nbf", issued)
        .time("exp", expires)
        .text("jti", to_string(token_id))
        .text("clerk_sub", subject.subject)
        .text("sid", subject.session_id)
        .text_if_any("user_role", standing.role);
    if (subject.organization) add_organization(members, *subject.organization);
    if (subject.factor_ages) {
        members.raw(
            "fva", fmt::format("[{},{}]", subject.factor_ages->first, subject.factor_ages->second));
    }
    if (subject.actor) members.raw("act", actor_of(*subject.actor));
    return IssuedClaims{members.done(), expires - issued};
}

}  // namespace rollcall::gate
