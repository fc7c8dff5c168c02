// What is said of a verdict: who calls, to the server behind the gate; why not, to the client.
// Pure.
#pragma once

#include "gate/verdict.hpp"
#include "http/message.hpp"

#include <string_view>

namespace rollcall::gate {

// The fields of gate/identity_headers, each once, empty where there is nothing to say, on public
// routes all of them; and X-Rollcall-Path. Of an allowed request. Built in `fields`, empty as yet.
[[nodiscard]] http::Fields identity_fields(const Verdict& verdict, http::Fields fields = {});

// A refusal with that status: a body of RFC 9457 with the reason as `code`; 401 has
// WWW-Authenticate (RFC 6750, section 3), 503 Retry-After. Not `verbose`: the reason is not said.
[[nodiscard]] http::Response refusal(const Verdict& verdict, unsigned status,
                                     std::string_view request_id, bool verbose);

}  // namespace rollcall::gate
