// The keys of the simulated Supabase project, and who may call its Auth with them: a legacy JWT in
// both headers, or a secret key (sb_secret_…) that only the gateway before a hosted project
// understands. A bare server, without that gateway, knows JWTs alone. Pure: time is passed in.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::sim {

// A service_role JWT and a secret key that nobody else has. Always the same.
[[nodiscard]] std::vector<std::string> made_up_auth_keys();
// A JWT of this role, as made_up_auth_keys() has one.
[[nodiscard]] std::string made_up_jwt(std::string_view role, std::int64_t expires_at);

// bad_configuration unless `key` is a JWT with a role, or begins with sb_secret_rollcall_. A key of
// a real project (its JWT names the project in `ref`) is refused.
[[nodiscard]] Result<void> check_auth_key(std::string_view key);

class AuthKeys {
public:
    // Checked keys only.
    AuthKeys(std::vector<std::string> keys, bool bare) : keys_(std::move(keys)), bare_(bare) {}

    [[nodiscard]] const std::vector<std::string>& all() const { return keys_; }
    [[nodiscard]] bool bare() const { return bare_; }
    // The answer to a caller who may not; nothing for an administrator.
    [[nodiscard]] std::optional<http::Response> refuse(const http::Request& request,
                                                       SystemTime now) const;
    // The answer to a key that is not one of these.
    [[nodiscard]] http::Response refusal_of_unknown(const http::Request& request) const;

private:
    [[nodiscard]] bool known(std::string_view key) const;
    [[nodiscard]] std::optional<http::Response> refuse_token(const http::Request& request,
                                                             SystemTime now) const;

    std::vector<std::string> keys_;
    bool bare_;
};

}  // namespace rollcall::sim
