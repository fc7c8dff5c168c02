#include "sim/clerk_token.hpp"

#include "crypto/encoding.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace rollcall::sim {

namespace {

// What the header's `cat` says a token is.
constexpr std::string_view session_category = "cl_B7d4PD111AAA";
constexpr std::string_view template_category = "cl_B7d4PD222AAA";
constexpr std::string_view role_prefix = "org:";
// Bits of a mask, which is written in decimal.
constexpr std::size_t permissions_max = 60;

struct Permission {
    std::string_view feature, action;
};

std::optional<Permission> split(std::string_view permission) {
    if (!permission.starts_with(role_prefix)) return std::nullopt;
    const auto rest = permission.substr(role_prefix.size());
    const auto colon = rest.find(':');
    if (colon == 0 || colon == std::string_view::npos || colon + 1 == rest.size() ||
        rest.find_first_of(", ") != std::string_view::npos) {
        return std::nullopt;
    }
    return Permission{rest.substr(0, colon), rest.substr(colon + 1)};
}

std::size_t place_in(std::vector<std::string_view>& list, std::string_view entry) {
    const auto found = std::ranges::find(list, entry);
    const auto place = static_cast<std::size_t>(found - list.begin());
    if (found == list.end()) list.push_back(entry);
    return place;
}

void append(std::string& list, std::string_view entry) {
    if (!list.empty()) list += ',';
    list += entry;
}

// `fea` names the features, `o.per` the permissions; bit k of the i-th number of `o.fpm` gives the
// k-th permission on the i-th feature.
void add_version_2(json::object& claims, const ActiveOrganization& organization) {
    json::object o{{"id", organization.id}};
    if (!organization.slug.empty()) o["slg"] = organization.slug;
    std::string_view role = organization.role;
    if (role.starts_with(role_prefix)) role.remove_prefix(role_prefix.size());
    o["rol"] = role;
    std::vector<std::string_view> features, actions;
    std::vector<std::uint64_t> masks;
    for (const auto& text : organization.permissions) {
        const auto permission = split(text);
        if (!permission) continue;
        const auto feature = place_in(features, permission->feature);
        masks.resize(features.size());
        masks[feature] |= 1ULL << place_in(actions, permission->action);
    }
    if (!features.empty()) {
        std::string fea, per, fpm;
        for (const auto feature : features) append(fea, "o:" + std::string(feature));
        for (const auto action : actions) append(per, action);
        for (const auto mask : masks) append(fpm, std::to_string(mask));
        claims["fea"] = fea;
        o["per"] = per;
        o["fpm"] = fpm;
    }
    claims["o"] = std::move(o);
}

void add_version_1(json::object& claims, const ActiveOrganization& organization) {
    claims["org_id"] = organization.id;
    if (!organization.slug.empty()) claims["org_slug"] = organization.slug;
    claims["org_role"] = organization.role;
    claims["org_permissions"] =
        json::array(organization.permissions.begin(), organization.permissions.end());
}

void lay_over(json::object& members, const json::object& changes) {
    for (const auto& [name, value] : changes) {
        if (value.is_null()) {
            members.erase(name);
        } else {
            members[name] = value;
        }
    }
}

json::object claims_of(ClerkInstance& clerk, const ClerkSession& session,
                       const TokenOptions& options) {
    constexpr std::int64_t minute = 60;
    constexpr std::int64_t early = 10;  // nbf, for receivers whose clock is behind
    const auto now = clerk.now() / 1000;
    const auto issued = options.expired ? now - options.lifetime - minute : now;
    json::object claims{{"exp", issued + options.lifetime},
                        {"iat", issued},
                        {"iss", ClerkInstance::issuer},
                        {"jti", clerk.ids.trace_id().substr(0, 20)},
                        {"nbf", issued - early},
                        {"sub", session.user_id}};
    if (options.azp) claims["azp"] = *options.azp;
    if (options.of_template) return claims;
    const bool pending = options.pending.value_or(session.status == SessionStatus::pending);
    // Minutes since the first factor was shown, and no second one.
    claims["fva"] =
        json::array{std::max<std::int64_t>(0, (now - session.created_at / 1000) / 60), -1};
    claims["sid"] = session.id;
    claims["sts"] = pending ? "pending" : "active";
    const auto& organization = options.organization ? options.organization : session.organization;
    if (!options.version_1) claims["v"] = 2;
    if (organization && options.version_1) add_version_1(claims, *organization);
    if (organization && !options.version_1) add_version_2(claims, *organization);
    return claims;
}

}  // namespace

bool can_pack(const std::vector<std::string>& permissions) {
    return permissions.size() <= permissions_max &&
           std::ranges::all_of(permissions,
                               [](const std::string& one) { return split(one).has_value(); });
}

MintedToken mint(ClerkInstance& clerk, const ClerkSession& session, const TokenOptions& options) {
    const auto& key = clerk.keys.current();
    MintedToken token;
    token.header = {{"alg", "RS256"},
                    {"cat", options.of_template ? template_category : session_category},
                    {"kid", key.kid},
                    {"typ", "JWT"}};
    lay_over(token.header, options.header);
    token.claims = claims_of(clerk, session, options);
    lay_over(token.claims, options.claims);
    token.jwt = crypto::base64url_encode(json::serialize(token.header)) + '.' +
                crypto::base64url_encode(json::serialize(token.claims));
    token.jwt += '.' + crypto::base64url_encode(key.key.sign(token.jwt));
    return token;
}

}  // namespace rollcall::sim
