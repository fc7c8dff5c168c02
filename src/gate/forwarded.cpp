#include "gate/forwarded.hpp"

#include "gate/identity_headers.hpp"

#include <array>
#include <span>
#include <string>
#include <utility>

namespace rollcall::gate {
namespace {

using enum ForwardedFault;

// Traefik, Caddy, Oathkeeper and oauth2-proxy; nginx as operators write it; ingress-nginx.
constexpr std::array<std::string_view, 3> target_names{"X-Forwarded-Uri", "X-Original-URI",
                                                       "X-Original-URL"};
constexpr std::array<std::string_view, 2> method_names{"X-Forwarded-Method", "X-Original-Method"};
constexpr std::array<std::string_view, 1> host_names{"X-Forwarded-Host"};
constexpr std::array<std::string_view, 1> plain_host_names{"Host"};

// Values that were joined. A comma may be in a path; what follows one in a list of targets is
// another target.
bool is_list(std::string_view value, bool target) {
    for (std::size_t at = value.find(','); at != std::string_view::npos;
         at = value.find(',', at + 1)) {
        const std::string_view rest = value.substr(at + 1);
        if (!target || rest.starts_with(' ') || rest.starts_with('\t') || rest.starts_with('/') ||
            rest.starts_with("http:") || rest.starts_with("https:")) {
            return true;
        }
    }
    return false;
}

// The one value that fields of `names` have; "" when there is no such field.
std::expected<std::string_view, ForwardedFault> single(const http::Fields& headers,
                                                       std::span<const std::string_view> names,
                                                       bool target) {
    std::string_view value;
    bool found = false;
    for (const std::string_view name : names) {
        std::size_t count = 0;
        for (const auto& [field, text] : headers.all()) {
            if (field.size() != name.size()) continue;
            const bool exact = field == name;
            if (!exact && !same_identity_name(field, name)) continue;
            // With `_` for `-` it is the same field to some servers, and another one to others.
            const bool other = !exact && !http::same_name(field, name);
            if (++count > 1 || other || is_list(text, target)) {
                return std::unexpected(repeated_header);
            }
            if (found && text != value) return std::unexpected(headers_differ);
            value = text;
            found = true;
        }
    }
    return value;
}

}  // namespace

std::string_view to_string(ForwardedFault fault) {
    switch (fault) {
        case untrusted_proxy:
            return "untrusted_proxy";
        case missing_target:
            return "missing_target";
        case missing_method:
            return "missing_method";
        case missing_host:
            return "missing_host";
        case repeated_header:
            return "repeated_header";
        case headers_differ:
            return "headers_differ";
        case bad_target:
            return "bad_target";
    }
    return "";
}

std::expected<Target, Unforwarded> forwarded_target(const http::Fields& headers) {
    const auto target = single(headers, target_names, true);
    if (!target) return std::unexpected(Unforwarded{target.error()});
    if (target->empty()) return std::unexpected(Unforwarded{missing_target});
    const auto method = single(headers, method_names, false);
    if (!method) return std::unexpected(Unforwarded{method.error()});
    if (method->empty()) return std::unexpected(Unforwarded{missing_method});
    auto host = single(headers, host_names, false);
    if (host && host->empty()) host = single(headers, plain_host_names, false);
    if (!host) return std::unexpected(Unforwarded{host.error()});
    if (host->empty()) return std::unexpected(Unforwarded{missing_host});
    auto out = canonical_target(*method, *host, *target);
    if (!out) return std::unexpected(Unforwarded{bad_target, out.error()});
    return *std::move(out);
}

}  // namespace rollcall::gate
