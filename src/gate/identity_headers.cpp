#include "gate/identity_headers.hpp"

#include "base/ascii.hpp"
#include "http/syntax.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

namespace rollcall::gate {
namespace {

constexpr std::array<std::string_view, 4> prefixes{"x-rollcall-", "x-auth-request-", "x-forwarded-",
                                                   "x-envoy-"};
constexpr std::array<std::string_view, 12> names{"x-user-id",
                                                 "remote-user",
                                                 "x-original-uri",
                                                 "x-original-url",
                                                 "x-original-method",
                                                 "x-rewrite-url",
                                                 "forwarded",
                                                 "x-real-ip",
                                                 "x-http-method",
                                                 "true-client-ip",
                                                 "x-http-method-override",
                                                 "x-method-override"};
constexpr std::array<std::string_view, 8> of_one_connection{
    "connection",        "keep-alive", "proxy-authenticate", "proxy-authorization", "te",
    "transfer-encoding", "upgrade",    "proxy-connection"};

char folded(char c) {
    return c == '_' ? '-' : to_lower(c);
}

bool begins_with(std::string_view name, std::string_view prefix) {
    return name.size() >= prefix.size() &&
           same_identity_name(name.substr(0, prefix.size()), prefix);
}

bool is_one_of(std::string_view name, std::span<const std::string_view> list) {
    return std::ranges::any_of(
        list, [&](std::string_view known) { return same_identity_name(name, known); });
}

// Whether a field `Connection` names it.
bool is_named(std::string_view name, const http::Fields& headers) {
    for (const auto& [field, value] : headers.all()) {
        if (!http::same_name(field, "Connection")) continue;
        std::string_view rest = value;
        while (!rest.empty()) {
            const std::size_t comma = std::min(rest.find(','), rest.size());
            if (same_identity_name(trimmed(rest.substr(0, comma)), name)) return true;
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    return false;
}

}  // namespace

bool same_identity_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, folded, folded);
}

bool must_strip(std::string_view name) {
    return is_one_of(name, names) || std::ranges::any_of(prefixes, [&](std::string_view prefix) {
               return begins_with(name, prefix);
           });
}

http::Fields stripped(const http::Fields& headers) {
    http::Fields out;
    for (const auto& [name, value] : headers.all()) {
        if (must_strip(name) || is_one_of(name, of_one_connection) || is_named(name, headers)) {
            continue;
        }
        out.add(name, value);
    }
    return out;
}

}  // namespace rollcall::gate
