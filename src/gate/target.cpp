#include "gate/target.hpp"

#include "base/ascii.hpp"
#include "base/json.hpp"
#include "http/message.hpp"
#include "http/syntax.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace rollcall::gate {
namespace {

using enum TargetFault;

constexpr std::size_t host_bytes_max = 253;  // RFC 1035, section 2.3.4
constexpr std::size_t label_bytes_max = 63;  // the same
constexpr unsigned port_max = 65535;

// RFC 3986, section 2.3 and pchar of 3.3. `;` has faults of its own.
bool is_plain(char c) {
    return is_unreserved(c) || std::string_view("!$&'()*+,=:@/").contains(c);
}

// What servers may take for the end of a path or a segment, or decode a second time.
bool is_delimiter(char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return byte < 0x20 || byte == 0x7F || std::string_view("/\\%;?#").contains(c);
}

bool is_port(std::string_view text) {
    if (text.empty() || text.size() > 5) return false;
    unsigned value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
        value = value * 10 + static_cast<unsigned>(c - '0');
    }
    return value <= port_max;
}

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= label_bytes_max && !label.starts_with('-') &&
           !label.ends_with('-') && std::ranges::all_of(label, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
           });
}

Judged<std::string> canonical_ipv6(std::string_view host) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return std::unexpected(bad_host);
    const std::string_view rest = host.substr(end + 1);
    if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) {
        return std::unexpected(bad_host);
    }
    in6_addr address{};
    const std::string text(host.substr(1, end - 1));
    if (text.contains('\0') || inet_pton(AF_INET6, text.c_str(), &address) != 1) {
        return std::unexpected(bad_host);
    }
    std::array<char, INET6_ADDRSTRLEN> shown{};
    inet_ntop(AF_INET6, &address, shown.data(), shown.size());
    return "[" + std::string(shown.data()) + "]";
}

// An http or https URL in two parts; nothing when it is none.
struct Absolute {
    std::string_view authority, rest;
};
std::optional<Absolute> split_absolute(std::string_view target) {
    if (target.starts_with('/')) return std::nullopt;
    const std::size_t colon = target.find("://");
    if (colon == std::string_view::npos) return std::nullopt;
    const std::string scheme = to_lower(target.substr(0, colon));
    if (scheme != "http" && scheme != "https") return std::nullopt;
    const std::string_view after = target.substr(colon + 3);
    const std::size_t end = std::min(after.find_first_of("/?#"), after.size());
    return Absolute{after.substr(0, end), after.substr(end)};
}

// Segments that are empty, but for one after a final slash, or that lead elsewhere.
std::optional<TargetFault> judge_segments(std::string_view decoded) {
    std::size_t count = 0;
    for (std::size_t from = 1; from <= decoded.size();) {
        const std::size_t end = std::min(decoded.find('/', from), decoded.size());
        const std::string_view segment = decoded.substr(from, end - from);
        if (++count > target_segments_max) return too_many_segments;
        if (segment.empty() && end < decoded.size()) return empty_segment;
        if (segment == "." || segment == "..") return dot_segment;
        from = end + 1;
    }
    return std::nullopt;
}

}  // namespace

std::string_view to_string(TargetFault fault) {
    switch (fault) {
        case bad_method:
            return "bad_method";
        case bad_host:
            return "bad_host";
        case host_differs:
            return "host_differs";
        case bad_form:
            return "bad_form";
        case too_long:
            return "too_long";
        case too_many_segments:
            return "too_many_segments";
        case bad_character:
            return "bad_character";
        case bad_escape:
            return "bad_escape";
        case encoded_delimiter:
            return "encoded_delimiter";
        case not_utf8:
            return "not_utf8";
        case empty_segment:
            return "empty_segment";
        case dot_segment:
            return "dot_segment";
        case parameters:
            return "parameters";
    }
    return "";
}

Judged<std::string> canonical_host(std::string_view host) {
    if (host.starts_with('[')) return canonical_ipv6(host);
    if (const std::size_t colon = host.find(':'); colon != std::string_view::npos) {
        if (!is_port(host.substr(colon + 1))) return std::unexpected(bad_host);
        host = host.substr(0, colon);
    }
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.empty() || host.size() > host_bytes_max) return std::unexpected(bad_host);
    std::string out = to_lower(host);
    for (std::size_t from = 0; from <= out.size();) {
        const std::size_t end = std::min(out.find('.', from), out.size());
        if (!is_label(std::string_view(out).substr(from, end - from))) {
            return std::unexpected(bad_host);
        }
        from = end + 1;
    }
    return out;
}

Judged<CanonicalPath> canonical_path(std::string_view path) {
    if (!path.starts_with('/')) return std::unexpected(bad_form);
    if (path.size() > target_bytes_max) return std::unexpected(too_long);
    CanonicalPath out;
    out.path.reserve(path.size());
    out.decoded.reserve(path.size());
    for (std::size_t at = 0; at < path.size(); ++at) {
        const char c = path[at];
        if (c == ';') return std::unexpected(parameters);
        if (c != '%') {
            if (!is_plain(c)) return std::unexpected(bad_character);
            out.path += c;
            out.decoded += c;
            continue;
        }
        const int high = at + 2 < path.size() ? hex_value(path[at + 1]) : -1;
        const int low = at + 2 < path.size() ? hex_value(path[at + 2]) : -1;
        if (high < 0 || low < 0) return std::unexpected(bad_escape);
        const char byte = static_cast<char>(high * 16 + low);
        if (is_delimiter(byte)) return std::unexpected(encoded_delimiter);
        if (is_unreserved(byte)) {
            out.path += byte;
        } else {
            append_percent_escape(out.path, byte);
        }
        out.decoded += byte;
        at += 2;
    }
    if (path.contains('%') && !is_utf8(out.decoded)) return std::unexpected(not_utf8);
    if (const auto fault = judge_segments(out.decoded)) return std::unexpected(*fault);
    return out;
}

Judged<Target> canonical_target(std::string_view method, std::string_view host,
                                std::string_view target) {
    Target out;
    if (!http::is_token(method)) return std::unexpected(bad_method);
    if (target.size() > target_bytes_max) return std::unexpected(too_long);
    out.method = method;
    if (!host.empty()) {
        auto name = canonical_host(host);
        if (!name) return std::unexpected(name.error());
        out.host = *std::move(name);
    }
    if (target == "*" && method == "OPTIONS") {
        out.path = out.decoded = "*";
        return out;
    }
    if (const auto absolute = split_absolute(target)) {
        auto name = canonical_host(absolute->authority);
        if (!name) return std::unexpected(name.error());
        if (!out.host.empty() && out.host != *name) return std::unexpected(host_differs);
        out.host = *std::move(name);
        target = absolute->rest;
        // Without a path it means /, but * with OPTIONS (RFC 9112, section 3.2.4).
        if (target.empty() || target.starts_with('?')) {
            if (method == "OPTIONS") return std::unexpected(bad_form);
            target = "/";
        }
    }
    const std::size_t question = std::min(target.find('?'), target.size());
    auto path = canonical_path(target.substr(0, question));
    if (!path) return std::unexpected(path.error());
    // Nothing reads the query; it is refused where it could be read as more than one.
    if (!http::is_query(target.substr(std::min(question + 1, target.size())))) {
        return std::unexpected(bad_character);
    }
    out.path = std::move(path->path);
    out.decoded = std::move(path->decoded);
    return out;
}

std::string encoded_path(std::string_view decoded) {
    std::string out;
    for (const char c : decoded) {
        if (is_plain(c)) {
            out += c;
        } else {
            append_percent_escape(out, c);
        }
    }
    return out;
}

}  // namespace rollcall::gate
