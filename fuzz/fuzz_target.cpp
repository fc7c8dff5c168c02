// The spelling of requests: whatever is accepted has one spelling, which is accepted again and
// stays as it is, and nothing in it that a server could read as another path.
//
// An input is split at its newlines: method, host, target.
#include "base/json.hpp"
#include "base/result.hpp"
#include "gate/path_pattern.hpp"
#include "gate/target.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace {

using namespace rollcall;

std::string_view next_line(std::string_view& rest) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return line;
}

// What servers do to a path that the gate must have refused: they decode once more, take `\` and
// `;` for what they are elsewhere, and resolve dots.
void check_path(const gate::Target& target) {
    const std::string& decoded = target.decoded;
    ensure(decoded.starts_with('/'), "a path begins with a slash");
    ensure(is_utf8(decoded), "a path is UTF-8");
    ensure(!decoded.contains("//"), "no segment is empty");
    ensure(decoded.find_first_of("%;?#\\") == std::string::npos, "nothing is a delimiter");
    ensure(std::ranges::none_of(decoded, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; }),
           "no control characters");
    const auto parts = gate::split_path(decoded);
    ensure(parts && parts->segments.size() <= gate::target_segments_max, "a path has its parts");
    for (const std::string_view segment : parts->segments) {
        ensure(!segment.empty() && segment != "." && segment != "..", "no segment leads elsewhere");
    }
    ensure(std::ranges::count(target.path, '/') == std::ranges::count(decoded, '/'),
           "decoding makes no segments");
    const auto all = gate::PathPattern::parse("/**");
    ensure(all->matches(*parts, gate::Slash::exact), "/** covers every path");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const std::string_view method = next_line(rest);
    const std::string_view host = next_line(rest);
    const auto first = gate::canonical_target(method, host, rest);
    if (!first) {
        ensure(!gate::to_string(first.error()).empty(), "a fault has a name");
        return 0;
    }
    const auto again = gate::canonical_target(first->method, first->host, first->path);
    ensure(again.has_value(), "a spelling is accepted again");
    ensure(again->path == first->path && again->decoded == first->decoded &&
               again->host == first->host,
           "a spelling stays as it is");
    if (first->path == "*") {
        ensure(first->method == "OPTIONS", "* is of OPTIONS");
        return 0;
    }
    check_path(*first);
    // Every byte as an escape is the same path, or refused.
    std::string escaped = "/";
    for (const char c : std::string_view(first->decoded).substr(1)) {
        constexpr std::string_view digits = "0123456789abcdef";
        const auto byte = static_cast<std::uint8_t>(c);
        if (c == '/') {
            escaped += c;
        } else {
            escaped += {'%', digits[byte >> 4], digits[byte & 15]};
        }
    }
    if (escaped.size() <= gate::target_bytes_max) {
        const auto same = gate::canonical_path(escaped);
        ensure(same && same->decoded == first->decoded, "escapes make no other path");
    }
    return 0;
}
