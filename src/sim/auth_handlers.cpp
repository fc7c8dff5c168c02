#include "sim/auth_handlers.hpp"

#include "base/ascii.hpp"
#include "crypto/digest.hpp"
#include "crypto/encoding.hpp"
#include "sim/clerk_handlers.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <ranges>
#include <utility>

namespace rollcall::sim {

namespace json = boost::json;

namespace {

constexpr std::size_t email_max = 255;
constexpr std::size_t password_min = 6;

using auth_errors::validation_failed;

std::optional<AuthError> normalise_email(std::string& email) {
    if (email.empty()) return std::nullopt;
    if (email.size() > email_max) return validation_failed("An email address is too long");
    if (!plausible_email(email)) {
        return validation_failed("Unable to validate email address: invalid format");
    }
    email = to_lower(email);
    return std::nullopt;
}

// E.164 without its plus sign.
std::optional<AuthError> normalise_phone(std::string& phone) {
    if (phone.empty()) return std::nullopt;
    if (phone.starts_with('+')) phone.erase(0, 1);
    std::erase(phone, ' ');
    const bool digits = std::ranges::all_of(phone, is_digit);
    if (!digits || phone.size() < 2 || phone.size() > 15 || phone.front() == '0') {
        return validation_failed("Invalid phone number format (E.164 required)");
    }
    return std::nullopt;
}

std::optional<AuthError> normalise(AuthUserParams& params) {
    if (auto wrong = normalise_email(params.email)) return wrong;
    return normalise_phone(params.phone);
}

// Sets or lifts the ban; nothing when the caller said nothing of it.
std::optional<AuthError> apply_ban(AuthUser& user, const AuthUserParams& params, std::int64_t now) {
    if (params.ban_duration.empty()) return std::nullopt;
    std::chrono::microseconds duration{0};
    if (params.ban_duration != "none") {
        const auto parsed = parse_go_duration(params.ban_duration);
        if (!parsed) {
            return validation_failed("invalid format for ban duration: time: invalid duration \"" +
                                     params.ban_duration + '"');
        }
        duration = *parsed;
    }
    user.banned_until.reset();
    if (duration.count() != 0) user.banned_until = now + duration.count();
    return std::nullopt;
}

void confirm_email(AuthUser& user, std::int64_t now) {
    user.email_confirmed_at = now;
    user.user_metadata["email_verified"] = true;
}

// Each address has an identity, which says for itself whether it is verified.
void set_identity(AuthInstance& auth, AuthUser& user, std::string_view provider,
                  const std::string& value, bool verified, std::int64_t now) {
    auto* identity = user.identity(provider);
    if (identity == nullptr) {
        user.identities.push_back(
            {.identity_id = auth.make_id(),
             .provider = std::string(provider),
             .data = {{"sub", user.id}, {"email_verified", false}, {"phone_verified", false}},
             .created_at = now});
        identity = &user.identities.back();
    }
    identity->data[provider] = value;
    identity->data[std::string(provider) + "_verified"] = verified;
    identity->updated_at = now;
}

AuthResult<const AuthUser*> find_user(const AuthInstance& auth, std::string_view id) {
    const auto uuid = parse_uuid(id);
    if (!uuid) return std::unexpected(auth_errors::no_uuid());
    const auto* user = auth.users.find(*uuid);
    if (user == nullptr) return std::unexpected(auth_errors::user_not_found());
    return user;
}

// What Supabase Auth looks for before it inserts: by audience, unlike the unique constraints.
std::optional<AuthError> taken(const AuthInstance& auth, const AuthUser& user) {
    const auto* by_email = auth.users.find_by_email(user.email);
    if (by_email != nullptr && by_email->aud == user.aud) return auth_errors::email_exists();
    const auto* by_phone = auth.users.find_by_phone(user.phone);
    if (by_phone != nullptr && by_phone->aud == user.aud) return auth_errors::phone_exists();
    return std::nullopt;
}

AuthResult<std::string> id_for(AuthInstance& auth, const std::string& wanted) {
    if (wanted.empty()) return auth.make_id();
    auto uuid = parse_uuid(wanted);
    if (!uuid) return std::unexpected(validation_failed("ID must conform to the uuid v4 format"));
    if (uuid->find_first_not_of("0-") == std::string::npos) {
        return std::unexpected(validation_failed("ID cannot be a nil uuid"));
    }
    return *std::move(uuid);
}

json::object first_app_metadata(const AuthUser& user) {
    json::array providers;
    if (!user.email.empty()) providers.emplace_back("email");
    if (!user.phone.empty()) providers.emplace_back("phone");
    return {{"provider", providers.front()}, {"providers", providers}};
}

// What is left of a value: nobody can tell it, and nobody else gets the same.
std::string obfuscated(const AuthUser& user, const std::string& value) {
    const auto digest = crypto::sha256(user.id + value);
    return crypto::hex_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

void soft_delete(AuthUser& user, std::int64_t now) {
    constexpr std::size_t phone_size = 15;
    if (user.deleted_at) return;
    user.email = obfuscated(user, user.email);
    user.phone = obfuscated(user, user.phone).substr(0, phone_size);
    user.user_metadata.clear();
    user.app_metadata.clear();
    user.identities.clear();
    user.deleted_at = now;
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// As Go's url.Values encodes.
std::string query_escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (is_unreserved(c)) {
            out += c;
        } else if (c == ' ') {
            out += '+';
        } else {
            append_percent_escape(out, c);
        }
    }
    return out;
}

// The address of a page: what was asked for with another `page`, keys in order of the alphabet.
std::string page_url(const QueryPairs& query, std::uint64_t page) {
    std::string url = "/admin/users";
    char mark = '?';
    for (const std::string_view key : {"filter", "page", "per_page", "sort"}) {
        if (key != "page" && !query.has(key)) continue;
        url += std::exchange(mark, '&');
        url += key;
        url += '=';
        url += key == "page" ? std::to_string(page) : query_escape(query.get(key));
    }
    return url;
}

std::string link_of(const QueryPairs& query, const AuthQuery& asked, std::uint64_t total) {
    const auto pages = total / asked.per_page + (total % asked.per_page > 0 ? 1 : 0);
    std::string link;
    if (pages > asked.page) link = '<' + page_url(query, asked.page + 1) + ">; rel=\"next\", ";
    return link + '<' + page_url(query, pages) + ">; rel=\"last\"";
}

AuthResult<AuthQuery> parse_query(const QueryPairs& query) {
    const auto bad = [](std::string_view what, std::string_view why) {
        return std::unexpected(
            validation_failed("Bad " + std::string(what) + " Parameters: " + std::string(why)));
    };
    AuthQuery asked;
    asked.filter = query.get("filter");
    for (const auto& [name, target] :
         {std::pair("page", &asked.page), std::pair("per_page", &asked.per_page)}) {
        const auto text = query.get(name);
        if (text.empty()) continue;
        const auto number = whole_number(text);
        if (!number) return bad("Pagination", "strconv.ParseUint: invalid syntax");
        *target = *number;
    }
    if (asked.per_page == 0) return bad("Pagination", "per_page must be greater than 0");
    if (!query.has("sort")) return asked;
    const std::string sort = to_lower(query.get("sort"));
    if (sort != "created_at" && sort != "created_at asc" && sort != "created_at desc") {
        return bad("Sort", "bad field or direction for sort");
    }
    asked.ascending = sort.ends_with(" asc");
    return asked;
}

}  // namespace

AuthResult<json::object> create_auth_user(AuthInstance& auth, std::string_view body) {
    auto params = parse_user_params(body);
    if (!params) return std::unexpected(params.error());
    if (params->email.empty() && params->phone.empty()) {
        return std::unexpected(
            validation_failed("Cannot create a user without either an email or phone"));
    }
    if (auto wrong = normalise(*params)) return std::unexpected(*wrong);
    AuthUser user;
    if (!params->aud.empty()) user.aud = params->aud;
    if (!params->role.empty()) user.role = params->role;
    user.email = params->email;
    user.phone = params->phone;
    user.password = params->password.value_or("");
    if (const auto exists = taken(auth, user)) return std::unexpected(*exists);
    if (params->password && !params->password_hash.empty()) {
        return std::unexpected(
            validation_failed("Only a password or a password hash should be provided"));
    }
    auto id = id_for(auth, params->id);
    if (!id) return std::unexpected(id.error());
    user.id = *std::move(id);
    const auto now = auth.stamp();
    user.created_at = user.updated_at = now;
    user.user_metadata = std::move(params->user_metadata).value_or(json::object());
    user.app_metadata = first_app_metadata(user);
    if (params->app_metadata) merge_metadata_keys(user.app_metadata, *params->app_metadata);
    // A new identity is not verified, whatever is said of the address.
    if (!user.email.empty()) set_identity(auth, user, "email", user.email, false, now);
    if (!user.phone.empty()) set_identity(auth, user, "phone", user.phone, false, now);
    if (params->email_confirm) confirm_email(user, now);
    if (params->phone_confirm) user.phone_confirmed_at = now;
    if (auto wrong = apply_ban(user, *params, now)) return std::unexpected(*wrong);
    if (auto cause = auth.users.conflict(user, /*is_new=*/true)) {
        return std::unexpected(
            auth_errors::violated("Database error creating new user", *std::move(cause)));
    }
    return to_json(auth.users.put(std::move(user)), /*in_list=*/false);
}

AuthResult<json::object> get_auth_user(const AuthInstance& auth, std::string_view id) {
    const auto user = find_user(auth, id);
    if (!user) return std::unexpected(user.error());
    return to_json(**user, /*in_list=*/false);
}

AuthResult<json::object> update_auth_user(AuthInstance& auth, std::string_view id,
                                          std::string_view body) {
    const auto found = find_user(auth, id);
    if (!found) return std::unexpected(found.error());
    auto params = parse_user_params(body);
    if (!params) return std::unexpected(params.error());
    if (auto wrong = normalise(*params)) return std::unexpected(*wrong);
    if (params->password && params->password->size() < password_min) {
        return std::unexpected(
            AuthError{422, "weak_password", "Password should be at least 6 characters.", {}});
    }
    AuthUser user = **found;
    const auto now = auth.stamp();
    if (auto wrong = apply_ban(user, *params, now)) return std::unexpected(*wrong);
    if (!params->role.empty()) user.role = params->role;
    if (params->password) user.password = *params->password;
    if (params->email_confirm) confirm_email(user, now);
    if (params->phone_confirm) user.phone_confirmed_at = now;
    if (!params->email.empty()) {
        user.email = params->email;
        set_identity(auth, user, "email", user.email, params->email_confirm, now);
    }
    if (!params->phone.empty()) {
        user.phone = params->phone;
        set_identity(auth, user, "phone", user.phone, params->phone_confirm, now);
    }
    if (params->app_metadata) merge_metadata_keys(user.app_metadata, *params->app_metadata);
    if (params->user_metadata) merge_metadata_keys(user.user_metadata, *params->user_metadata);
    user.updated_at = now;
    if (auto cause = auth.users.conflict(user, /*is_new=*/false)) {
        return std::unexpected(auth_errors::violated("Error updating user", *std::move(cause)));
    }
    return to_json(auth.users.put(std::move(user)), /*in_list=*/false);
}

AuthResult<json::object> delete_auth_user(AuthInstance& auth, std::string_view id,
                                          std::string_view body) {
    const auto found = find_user(auth, id);
    if (!found) return std::unexpected(found.error());
    const auto soft = parse_soft_delete(body);
    if (!soft) return std::unexpected(soft.error());
    AuthUser user = **found;
    if (*soft) {
        soft_delete(user, auth.stamp());
        auth.users.put(std::move(user));
    } else {
        auth.users.erase(user.id);
    }
    return json::object();
}

AuthResult<json::object> sign_in_by_password(const AuthInstance& auth, const QueryPairs& query,
                                             std::string_view body) {
    if (query.get("grant_type") != "password") {
        return std::unexpected(auth_errors::validation_failed("unsupported_grant_type"));
    }
    auto params = parse_user_params(body);
    if (!params) return std::unexpected(params.error());
    if (auto wrong = normalise(*params)) return std::unexpected(*wrong);
    const auto* user = auth.users.find_by_email(params->email);
    if (user == nullptr || user->password.empty() || user->password != params->password) {
        return std::unexpected(
            AuthError{400, "invalid_credentials", "Invalid login credentials", {}});
    }
    if (!user->email_confirmed_at) {
        return std::unexpected(AuthError{400, "email_not_confirmed", "Email not confirmed", {}});
    }
    if (user->banned_until) {
        return std::unexpected(AuthError{400, "user_banned", "User is banned", {}});
    }
    return json::object{{"access_token", "simulated"},
                        {"token_type", "bearer"},
                        {"expires_in", 3600},
                        {"refresh_token", "simulated"},
                        {"user", to_json(*user, /*in_list=*/false)}};
}

AuthResult<AuthUserList> list_auth_users(AuthInstance& auth, const QueryPairs& query) {
    const auto asked = parse_query(query);
    if (!asked) return std::unexpected(asked.error());
    auto page = auth.users.list(*asked);
    if (!page.users.empty() && auth.faults.strikes(Fault::auth_skip_page)) page.users.pop_back();
    json::array users;
    for (const auto* user : page.users) users.emplace_back(to_json(*user, /*in_list=*/true));
    return AuthUserList{{{"users", std::move(users)}, {"aud", asked->aud}},
                        page.total,
                        link_of(query, *asked, page.total)};
}

}  // namespace rollcall::sim
