// What a request asks for, in the one spelling that rules are matched against and logs show:
// method, host and path (RFC 9110 section 4.2.3, RFC 3986 section 6.2.2). Pure. Every request has
// one spelling or is refused by a named fault; nothing odd is repaired, since whoever serves the
// request may repair it in another way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace rollcall::gate {

inline constexpr std::size_t target_bytes_max = 8192;
inline constexpr std::size_t target_segments_max = 256;

enum class TargetFault : std::uint8_t {
    bad_method,         // no token
    bad_host,           // no host name or address, with or without a port
    host_differs,       // the target names another host than the request
    bad_form,           // neither /path nor http://host/path, nor * of OPTIONS
    too_long,           // over target_bytes_max
    too_many_segments,  // over target_segments_max
    bad_character,      // raw, where RFC 3986 has none: space, control, \, #, non-ASCII, …
    bad_escape,         // % without two hexadecimal digits
    encoded_delimiter,  // %2F %5C %25 %3B %3F %23, or an encoded control character
    not_utf8,           // escapes that are no UTF-8
    empty_segment,      // //
    dot_segment,        // . or .. or ..;
    parameters,         // ; in a segment
};

// Stable, in snake case: for logs and messages.
[[nodiscard]] std::string_view to_string(TargetFault fault);

struct Target {
    std::string method;  // as sent; methods are case-sensitive
    std::string host;    // lower case, no port, no final dot; empty where there is none
    // The query cut off; unreserved characters plain, all other escapes kept with upper-case
    // digits. `*` of OPTIONS.
    std::string path;
    // `path` without any escapes, which is what servers compare: %40 and @ are the same segment to
    // them. No byte of it can be taken for a delimiter.
    std::string decoded;
};

template <class T>
using Judged = std::expected<T, TargetFault>;

// A request line's target with the request's method and host. `host` is a Host header's value, or
// empty where there is none.
[[nodiscard]] Judged<Target> canonical_target(std::string_view method, std::string_view host,
                                              std::string_view target);

// The parts of it. A path begins with a slash and has no query.
struct CanonicalPath {
    std::string path, decoded;
};
[[nodiscard]] Judged<CanonicalPath> canonical_path(std::string_view path);
// A name, an IPv4 address or an IPv6 address in brackets. Names of other scripts only as A-labels.
[[nodiscard]] Judged<std::string> canonical_host(std::string_view host);

// `decoded` with the escapes that `Target::path` has.
[[nodiscard]] std::string encoded_path(std::string_view decoded);

}  // namespace rollcall::gate
