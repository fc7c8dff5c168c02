// Why a call of Supabase Auth's admin API has no result. Auth has two forms of errors, and a
// gateway or proxy before it answers in forms of its own. Only codes are kept: the texts quote
// addresses.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace rollcall::supabase {

enum class AuthFault : std::uint8_t {
    away,          // no answer, 5xx, or one that is none of Auth's: another time
    rate_limited,  // another time
    key_refused,   // everybody's trouble: SUPABASE_SERVICE_ROLE_KEY is not the right one
    not_found,     // Auth says that there is no such user; no other 404 does
    email_taken,   // another user has the address
    phone_taken,   // another user has the number
    taken,         // another user has the id, the address or the number: Auth does not say which
    opaque,        // Auth failed without saying why, or over two writes at once; may be `taken`
    constrained,   // a constraint of its database forbids it, until somebody changes what is there
    invalid,       // refused for what it is: the same again will be refused again
};

[[nodiscard]] std::string_view to_string(AuthFault fault);

struct AuthError {
    AuthFault fault = AuthFault::away;
    unsigned status = 0;                // 0: no answer
    std::string code;                   // Auth's; "" when the answer is none of Auth's
    bool sent = true;                   // false: not even asked
    std::chrono::milliseconds wait{0};  // rate_limited, not sent: how long until it is worth asking
    std::string message;                // all of it, for logs and job rows; no personal data

    // Nobody has heard the end of it: the request may have been carried out all the same, or be so
    // yet, after whatever is asked next.
    [[nodiscard]] bool outcome_unknown() const;
    // Nobody's fault: the same may work later, without anything else changing.
    [[nodiscard]] bool passes() const;
};

template <class T>
using AuthResult = std::expected<T, AuthError>;

// Of an answer that is no success.
[[nodiscard]] AuthError read_auth_error(const http::Response& response);
// Of an answer of 200 whose body is not `what` was asked for: a proxy's page, another service.
[[nodiscard]] AuthError strange_answer(std::string_view what);

// Whether the answer shows a service that works: an error of the server's that only says what its
// database does not take does, and must not count against it.
[[nodiscard]] bool is_healthy(const http::Response& response);

}  // namespace rollcall::supabase
