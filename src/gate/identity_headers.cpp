#include "gate/identity_headers.hpp"

#include "http/hop_by_hop.hpp"

#include <algorithm>

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

bool begins_with(std::string_view name, std::string_view prefix) {
    return name.size() >= prefix.size() &&
           same_identity_name(name.substr(0, prefix.size()), prefix);
}

}  // namespace

bool same_identity_name(std::string_view a, std::string_view b) {
    return http::same_folded_name(a, b);
}

bool must_strip(std::string_view name) {
    const auto is_name = [&](std::string_view known) { return same_identity_name(name, known); };
    const auto has_prefix = [&](std::string_view prefix) { return begins_with(name, prefix); };
    return std::ranges::any_of(names, is_name) || std::ranges::any_of(prefixes, has_prefix);
}

http::Fields stripped(const http::Fields& headers) {
    http::Fields out;
    const http::Fields passed_on = http::end_to_end(headers);
    for (const auto& [name, value] : passed_on.all()) {
        if (!must_strip(name)) out.add(name, value);
    }
    return out;
}

}  // namespace rollcall::gate
