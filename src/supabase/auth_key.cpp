#include "supabase/auth_key.hpp"

#include "base/json_document.hpp"
#include "crypto/encoding.hpp"

#include <algorithm>
#include <optional>
#include <string>

namespace rollcall::supabase {
namespace {

constexpr std::size_t key_bytes_max = 4096;

// Base64url without padding (RFC 7515).
std::optional<std::string> decode_part(std::string_view part) {
    std::string text(part);
    std::ranges::replace(text, '-', '+');
    std::ranges::replace(text, '_', '/');
    text.append((4 - text.size() % 4) % 4, '=');
    return crypto::base64_decode(text);
}

// The claim `role` of a JWT; nothing when this is none.
std::optional<std::string> role_of_jwt(std::string_view key) {
    const std::size_t first = key.find('.');
    const std::size_t second = first == key.npos ? key.npos : key.find('.', first + 1);
    if (second == key.npos || key.find('.', second + 1) != key.npos) return std::nullopt;
    const auto payload = decode_part(key.substr(first + 1, second - first - 1));
    if (!payload) return std::nullopt;
    JsonDocument document;
    const auto root = document.parse(*payload);
    simdjson::dom::object claims;
    if (!root || root->get_object().get(claims) != simdjson::SUCCESS) return std::nullopt;
    std::string_view role;
    if (claims["role"].get_string().get(role) != simdjson::SUCCESS) return "";
    return std::string(role);
}

}  // namespace

KeyKind kind_of_key(std::string_view key) {
    if (key.size() > key_bytes_max) return KeyKind::unknown;
    constexpr std::string_view secret = "sb_secret_";
    if (key.starts_with(secret) && key != secret) return KeyKind::secret;
    if (key.starts_with("sb_publishable_")) return KeyKind::publishable;
    const auto role = role_of_jwt(key);
    if (!role) return KeyKind::unknown;
    return role == "service_role" || role == "supabase_admin" ? KeyKind::service_role
                                                              : KeyKind::other_role;
}

Result<void> check_key(const Secret& key) {
    const std::string_view text = key.reveal();
    const bool printable = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
    if (!printable) return fail(ErrorCode::bad_configuration, "must be one word of ASCII");
    constexpr std::string_view wanted =
        "; wanted is a secret key (sb_secret_…) or the service_role key";
    switch (kind_of_key(text)) {
        case KeyKind::secret:
        case KeyKind::service_role:
            return {};
        case KeyKind::publishable:
            return fail(ErrorCode::bad_configuration, "is a publishable key" + std::string(wanted));
        case KeyKind::other_role:
            return fail(
                ErrorCode::bad_configuration,
                "is a JWT of another role than service_role (the anon key?)" + std::string(wanted));
        case KeyKind::unknown:
            break;
    }
    return fail(ErrorCode::bad_configuration, "is no key of Supabase's" + std::string(wanted));
}

}  // namespace rollcall::supabase
