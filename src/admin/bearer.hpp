// `Authorization: Bearer <token>`, compared in constant time; the scheme's name without regard to
// case (RFC 9110, 11.1).
#pragma once

#include "base/secret.hpp"
#include "http/address_guard.hpp"
#include "http/router.hpp"

namespace rollcall::admin {

// True when the request carries exactly one Authorization field with that token. An empty `token`
// is never matched.
[[nodiscard]] bool authorized(const http::Request& request, const Secret& token);

// `handler` behind the token: without a token set the route does not exist (404), without the right
// one the answer is 401 with WWW-Authenticate; or 429, when `guard`, which must outlive the
// handler, has had too many of those. The right token is never refused.
[[nodiscard]] http::Handler with_bearer(const Secret& token, http::Handler handler,
                                        http::AddressGuard* guard = nullptr);

}  // namespace rollcall::admin
