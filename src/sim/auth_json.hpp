// The JSON of the simulated Supabase Auth: what an admin may send for a user, read as Go reads it,
// and the user as it is shown. Pure.
#pragma once

#include "sim/auth_error.hpp"
#include "sim/auth_store.hpp"

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::sim {

template <class T>
using AuthResult = std::expected<T, AuthError>;

// The body of POST and PUT. Absent, null and "" are one, but for `password`.
struct AuthUserParams {
    std::string id;
    std::string aud;
    std::string role;
    std::string email;
    std::string phone;
    std::optional<std::string> password;
    std::string password_hash;
    bool email_confirm = false;
    bool phone_confirm = false;
    std::optional<boost::json::object> user_metadata;
    std::optional<boost::json::object> app_metadata;
    std::string ban_duration;
};

// Unknown members are ignored; one of the wrong type is bad_json.
[[nodiscard]] AuthResult<AuthUserParams> parse_user_params(std::string_view body);
// The body of DELETE, which may be absent: whether the user is only marked.
[[nodiscard]] AuthResult<bool> parse_soft_delete(std::string_view body);

// Lower case and without braces; nothing when it is no UUID.
[[nodiscard]] std::optional<std::string> parse_uuid(std::string_view text);
// "876000h", "1h30m", "1.5h", "-2s": Go's form of a duration, in microseconds.
[[nodiscard]] std::optional<std::chrono::microseconds> parse_go_duration(std::string_view text);

// RFC 3339 in UTC with microseconds and no zeros behind them.
[[nodiscard]] std::string auth_time(std::int64_t unix_microseconds);

// Lists show users without looking for their identities: null.
[[nodiscard]] boost::json::object to_json(const AuthUser& user, bool in_list);

}  // namespace rollcall::sim
