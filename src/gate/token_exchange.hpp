// What a client asks of POST /oauth/token (RFC 8693, section 2.1): a form, read strictly, or the
// OAuth error that it gets (RFC 6749, section 5.2). Clients are not authenticated, so client_id and
// the like count as little as parameters that nobody knows. Pure.
#pragma once

#include "http/message.hpp"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::gate {

inline constexpr std::string_view token_exchange_grant =
    "urn:ietf:params:oauth:grant-type:token-exchange";
inline constexpr std::size_t exchange_body_max = 32UL * 1024;

struct ExchangeRequest {
    std::string subject_token;
    std::string audience;           // that of the token to issue
    std::string issued_token_type;  // as it is asked for, else that of an access token
};

struct OAuthError {
    std::string_view error;        // RFC 6749, section 5.2; RFC 8693, section 2.2.2
    std::string_view description;  // static text; nothing of the request
};

// Of `audiences`, if there are any, one may be asked for, the first unless it is. Else anything
// may, "authenticated" unless it is: what Supabase's own tokens have.
[[nodiscard]] std::expected<ExchangeRequest, OAuthError> read_exchange(
    const http::Request& request, const std::vector<std::string>& audiences);

}  // namespace rollcall::gate
