#include "clerk/organization_claims.hpp"

#include "base/json_document.hpp"
#include "crypto/strict_json.hpp"

#include <algorithm>

namespace rollcall::clerk {
namespace {

using crypto::member;
using simdjson::dom::object;

constexpr std::size_t mask_digits_max = 128;

std::unexpected<TokenRefusal> malformed(std::string_view detail) {
    return std::unexpected(TokenRefusal{TokenReason::malformed, detail});
}

std::vector<std::string_view> entries_of(std::string_view list) {
    std::vector<std::string_view> entries;
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        std::string_view entry = list.substr(0, comma);
        list.remove_prefix(std::min(comma + 1, list.size()));
        while (entry.starts_with(' ')) entry.remove_prefix(1);
        while (entry.ends_with(' ')) entry.remove_suffix(1);
        entries.push_back(entry);
    }
    return entries;
}

std::vector<std::string_view> organization_features(std::string_view fea) {
    std::vector<std::string_view> features;
    for (const std::string_view entry : entries_of(fea)) {
        const std::size_t colon = std::min(entry.find(':'), entry.size());
        const std::string_view scope = entry.substr(0, colon);
        if (scope == "o" || scope == "ou" || scope == "uo") {
            features.push_back(entry.substr(std::min(colon + 1, entry.size())));
        }
    }
    return features;
}

// The bits of a decimal number, lowest first; none for what is no number.
std::vector<bool> bits_of(std::string_view decimal, std::size_t count) {
    const bool number = !decimal.empty() && decimal.size() <= mask_digits_max &&
                        std::ranges::all_of(decimal, [](char c) { return c >= '0' && c <= '9'; });
    std::vector<bool> bits;
    if (!number) return bits;
    std::string left(decimal);
    for (std::size_t k = 0; k < count; ++k) {
        int rest = 0;
        for (char& digit : left) {
            const int value = rest * 10 + (digit - '0');
            digit = static_cast<char>('0' + value / 2);
            rest = value % 2;
        }
        bits.push_back(rest == 1);
    }
    return bits;
}

// False when it is there and no string; "" when it is not there.
bool read_text(const object& from, std::string_view name, std::string& into) {
    const auto value = member(from, name);
    if (!value) return true;
    const auto text = as_string(*value);
    into = text.value_or("");
    return text.has_value();
}

bool is_null(const simdjson::dom::element& value) {
    return value.is_null();
}

std::expected<std::optional<Organization>, TokenRefusal> read_version_2(const object& claims) {
    const auto value = member(claims, "o");
    if (!value || is_null(*value)) return std::nullopt;
    object o;
    if (value->get_object().get(o) != simdjson::SUCCESS) return malformed("o is no object");
    Organization organization;
    std::string role, per, fpm, fea;
    if (!read_text(o, "id", organization.id) || !read_text(o, "slg", organization.slug) ||
        !read_text(o, "rol", role) || !read_text(o, "per", per) || !read_text(o, "fpm", fpm) ||
        !read_text(claims, "fea", fea) || organization.id.empty()) {
        return malformed("o has no id, or a member that is no string");
    }
    if (!role.empty()) organization.role = "org:" + role;
    organization.permissions = unpack_permissions(fea, per, fpm);
    return organization;
}

std::expected<std::optional<Organization>, TokenRefusal> read_version_1(const object& claims) {
    const auto id = member(claims, "org_id");
    if (!id || is_null(*id)) return std::nullopt;
    Organization organization;
    if (!read_text(claims, "org_id", organization.id) ||
        !read_text(claims, "org_slug", organization.slug) ||
        !read_text(claims, "org_role", organization.role) || organization.id.empty()) {
        return malformed("org_id, org_slug or org_role is no string");
    }
    const auto permissions = member(claims, "org_permissions");
    if (!permissions || is_null(*permissions)) return organization;
    simdjson::dom::array list;
    if (permissions->get_array().get(list) != simdjson::SUCCESS) {
        return malformed("org_permissions is no list");
    }
    for (const auto& item : list) {
        const auto permission = as_string(item);
        if (!permission) return malformed("org_permissions holds what is no string");
        organization.permissions.emplace_back(*permission);
    }
    return organization;
}

}  // namespace

std::vector<std::string> unpack_permissions(std::string_view fea, std::string_view per,
                                            std::string_view fpm) {
    const auto features = organization_features(fea);
    const auto permissions = entries_of(per);
    const auto masks = entries_of(fpm);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < features.size() && i < masks.size(); ++i) {
        const auto bits = bits_of(masks[i], permissions.size());
        for (std::size_t k = 0; k < bits.size(); ++k) {
            if (!bits[k]) continue;
            std::string permission = "org:";
            permission.append(features[i]).append(":").append(permissions[k]);
            out.push_back(std::move(permission));
        }
    }
    return out;
}

std::expected<std::optional<Organization>, TokenRefusal> read_organization(const object& claims,
                                                                           std::int64_t version) {
    return version == 2 ? read_version_2(claims) : read_version_1(claims);
}

}  // namespace rollcall::clerk
