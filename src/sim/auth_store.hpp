// The users of the simulated Supabase Auth, in memory: its table auth.users with what is unique
// there. Pure: knows nothing of HTTP and time. What a request means is AuthApi's.
#pragma once

#include "sim/auth_error.hpp"

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rollcall::sim {

// Times are unix microseconds.
struct AuthIdentity {
    std::string identity_id;
    std::string provider;  // email or phone
    boost::json::object data;
    std::int64_t created_at = 0;
    std::int64_t updated_at = 0;
};

struct AuthUser {
    std::string id;  // a UUID in lower case
    std::string aud = "authenticated";
    std::string role = "authenticated";
    std::string email;     // lower case; "" for none
    std::string phone;     // digits only; "" for none
    std::string password;  // "" for one that nobody knows
    std::optional<std::int64_t> email_confirmed_at;
    std::optional<std::int64_t> phone_confirmed_at;
    std::optional<std::int64_t> banned_until;
    std::optional<std::int64_t> deleted_at;
    boost::json::object app_metadata;
    boost::json::object user_metadata;
    std::vector<AuthIdentity> identities;
    std::int64_t created_at = 0;
    std::int64_t updated_at = 0;
    std::uint64_t serial = 0;  // the store's: the order of arrival

    // The identity of this provider; null when there is none.
    [[nodiscard]] AuthIdentity* identity(std::string_view provider);
};

struct AuthQuery {
    std::string aud = "authenticated";
    std::string filter;
    bool ascending = false;  // by created_at; equal ones in order of arrival
    std::uint64_t page = 1;
    std::uint64_t per_page = 50;
};

struct AuthPage {
    std::vector<const AuthUser*> users;
    std::uint64_t total = 0;
};

class AuthStore {
public:
    [[nodiscard]] std::size_t size() const { return users_.size(); }
    [[nodiscard]] const AuthUser* find(std::string_view id) const;
    [[nodiscard]] const AuthUser* find_by_email(const std::string& email) const;
    [[nodiscard]] const AuthUser* find_by_phone(const std::string& phone) const;

    // Which unique constraint another user holds against `user`, if one does. A new user also
    // conflicts with one that has its id.
    [[nodiscard]] std::optional<UniqueViolation> conflict(const AuthUser& user, bool is_new) const;
    // Adds the user, or replaces the one with its id. A conflict is a bug of the caller's.
    const AuthUser& put(AuthUser user);
    bool erase(const std::string& id);
    void clear();

    [[nodiscard]] AuthPage list(const AuthQuery& query) const;
    // In order of age.
    void for_each(const std::function<void(const AuthUser&)>& visit) const;

private:
    using Place = std::pair<std::int64_t, std::uint64_t>;  // created_at, serial

    void unindex(const AuthUser& user);

    std::map<std::string, AuthUser, std::less<>> users_;
    std::map<Place, const AuthUser*> by_age_;
    std::unordered_map<std::string, const AuthUser*> emails_;
    std::unordered_map<std::string, const AuthUser*> phones_;
    std::uint64_t serials_ = 0;
};

// PostgreSQL's LIKE with its wildcards `%` and `_` and the escape `\`.
[[nodiscard]] bool like(std::string_view text, std::string_view pattern);

// Top-level keys of `changes` go over those of `target`; null takes a key away.
void merge_metadata_keys(boost::json::object& target, const boost::json::object& changes);

}  // namespace rollcall::sim
