// Header fields by which servers behind the gate know who calls. A client must not be able to send
// one of them: docs/gate.md lists what has to be removed on the way in, in whatever spelling. Pure.
#pragma once

#include "http/message.hpp"

#include <array>
#include <string_view>

namespace rollcall::gate {

// What the gate says of an allowed request, each exactly once, empty where there is nothing to say.
inline constexpr std::array<std::string_view, 7> identity_headers{
    "X-Rollcall-User-Id", "X-Rollcall-Subject", "X-Rollcall-Session", "X-Rollcall-Org",
    "X-Rollcall-Role",    "X-Rollcall-Access",  "X-Rollcall-Rule"};

// Whether CGI, WSGI and others take two names for the same: letters without regard to case, `_` for
// `-`.
[[nodiscard]] bool same_identity_name(std::string_view a, std::string_view b);

// Whether a client's field of this name says who calls, from where, or for which target, so that it
// is not passed on.
[[nodiscard]] bool must_strip(std::string_view name);

// A client's fields less those that must be stripped, those of one connection only (RFC 9110,
// section 7.6.1) and those that `Connection` names: a client that names one of ours there would
// have the next proxy remove it.
[[nodiscard]] http::Fields stripped(const http::Fields& headers);

}  // namespace rollcall::gate
