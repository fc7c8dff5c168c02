#include "supabase/auth_user.hpp"

#include "base/json.hpp"
#include "base/json_document.hpp"

#include <algorithm>

namespace rollcall::supabase {
namespace {

// A ban that ends after everybody; Auth knows none without an end.
constexpr std::string_view for_a_century = "876000h";

std::optional<simdjson::dom::object> object_of(const simdjson::dom::element& value) {
    simdjson::dom::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
    return object;
}

// The string member of that name, "" when there is none; of one that comes twice the last.
std::string member(const simdjson::dom::element& value, std::string_view name) {
    std::string text;
    if (const auto object = object_of(value)) {
        for (const auto& [key, element] : *object) {
            if (key == name) text = as_string(element).value_or("");
        }
    }
    return text;
}

// As Auth writes ids. Whatever else stands there is no user of Auth's, and no database takes it.
bool is_uuid(std::string_view text) {
    constexpr std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    return std::ranges::equal(text, form, [](char c, char wanted) {
        if (wanted == '-') return c == '-';
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
}

bool is_set(const simdjson::dom::element& value) {
    return !as_string(value).value_or("").empty();
}

void note_sign_in(AuthUser& user, std::string_view provider) {
    if (!provider.empty() && provider != "email") user.other_sign_in = provider;
}

void read_providers(AuthUser& user, const simdjson::dom::element& app_metadata) {
    note_sign_in(user, member(app_metadata, "provider"));
    simdjson::dom::array providers;
    if (app_metadata["providers"].get_array().get(providers) != simdjson::SUCCESS) return;
    for (const simdjson::dom::element one : providers) {
        note_sign_in(user, as_string(one).value_or(""));
    }
}

void read_identities(AuthUser& user, const simdjson::dom::element& value) {
    simdjson::dom::array identities;
    if (value.get_array().get(identities) != simdjson::SUCCESS) return;
    for (const simdjson::dom::element one : identities) {
        note_sign_in(user, member(one, "provider"));
    }
}

std::optional<AuthUser> read_user(const simdjson::dom::element& value) {
    const auto object = object_of(value);
    if (!object) return std::nullopt;
    AuthUser user;
    for (const auto& [key, element] : *object) {
        if (key == "id") {
            user.id = as_string(element).value_or("");
        } else if (key == "email") {
            user.email = as_string(element).value_or("");
        } else if (key == "phone") {
            user.phone = as_string(element).value_or("");
        } else if (key == "app_metadata") {
            user.clerk_id = member(element, "clerk_id");
            user.role = member(element, "role");
            user.sso = member(element, "provider").starts_with("sso:");
            read_providers(user, element);
        } else if (key == "identities") {
            read_identities(user, element);
        } else if (key == "user_metadata") {
            user.full_name = member(element, "full_name");
        } else if (key == "email_confirmed_at") {
            user.email_confirmed = is_set(element);
        } else if (key == "banned_until") {
            user.banned_until = as_string(element).value_or("");
            user.banned = !user.banned_until.empty();
        } else if (key == "deleted_at") {
            user.soft_deleted = is_set(element);
        }
    }
    if (!is_uuid(user.id)) return std::nullopt;
    return user;
}

}  // namespace

std::string body_of(const AuthChange& change, std::string_view id) {
    std::string body = "{";
    if (!id.empty()) body += R"("id":)" + json_string(id) + ",";
    // Without its confirmation an address that is set counts as unverified.
    if (change.email) {
        body += R"("email":)" + json_string(*change.email) + R"(,"email_confirm":true,)";
    }
    if (change.phone) {
        body += R"("phone":)" + json_string(*change.phone) + R"(,"phone_confirm":true,)";
    }
    body += R"("app_metadata":{"clerk_id":)" + json_string(change.clerk_id) + R"(,"role":)" +
            (change.role.empty() ? "null" : json_string(change.role)) + "},";
    // Supabase's own pages and its filter read full_name, templates the name that sign-ins by
    // other providers set.
    const std::string name = change.name ? json_string(*change.name) : "null";
    body += R"("user_metadata":{"full_name":)" + name + R"(,"name":)" + name + "}";
    if (change.banned) {
        body += R"(,"ban_duration":")" + std::string(for_a_century) + '"';
    } else if (id.empty()) {
        body += R"(,"ban_duration":"none")";
    }
    return body + "}";
}

std::string body_of_email(std::string_view email) {
    return R"({"email":)" + json_string(email) + R"(,"email_confirm":true})";
}

std::string body_of_password(std::string_view password) {
    return R"({"password":)" + json_string(password) + "}";
}

std::optional<AuthUser> parse_auth_user(std::string_view json) {
    JsonDocument document;
    const auto root = document.parse(json);
    return root ? read_user(*root) : std::nullopt;
}

bool is_removal(std::string_view json) {
    JsonDocument document;
    const auto root = document.parse(json);
    return root && object_of(*root);
}

std::optional<std::vector<AuthUser>> parse_auth_users(std::string_view json) {
    JsonDocument document;
    const auto root = document.parse(json);
    simdjson::dom::array elements;
    if (!root || (*root)["users"].get_array().get(elements) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    std::vector<AuthUser> users;
    users.reserve(elements.size());
    for (const simdjson::dom::element element : elements) {
        auto user = read_user(element);
        if (!user) return std::nullopt;
        users.push_back(*std::move(user));
    }
    return users;
}

}  // namespace rollcall::supabase
