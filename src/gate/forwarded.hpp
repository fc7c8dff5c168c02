// For which request a proxy asks (forward authentication): nginx's auth_request, Traefik, Caddy and
// others say it in header fields. Pure. They count only from a trusted proxy, which the caller sees
// to, and only where they can be read in one way; anything else is a named fault, and the request
// is not allowed.
#pragma once

#include "gate/target.hpp"
#include "http/message.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

namespace rollcall::gate {

enum class ForwardedFault : std::uint8_t {
    untrusted_proxy,  // the peer may not speak for anybody
    missing_target,   // none of X-Forwarded-Uri, X-Original-URI, X-Original-URL
    missing_method,   // neither X-Forwarded-Method nor X-Original-Method
    missing_host,     // neither X-Forwarded-Host nor Host
    repeated_header,  // one of them twice, a comma list, or spelled with `_`
    headers_differ,   // two of them with other values
    bad_target,       // what they say is no sound target: see `target`
};
// Stable, in snake case.
[[nodiscard]] std::string_view to_string(ForwardedFault fault);

struct Unforwarded {
    ForwardedFault fault;
    std::optional<TargetFault> target{};  // of bad_target
};

// Of what a proxy sent that may speak for others.
[[nodiscard]] std::expected<Target, Unforwarded> forwarded_target(const http::Fields& headers);

}  // namespace rollcall::gate
