#include "base/trace.hpp"

#include <algorithm>
#include <span>

namespace rollcall {
namespace {

constexpr std::size_t field_length = 55;  // of version 00
constexpr std::string_view digits = "0123456789abcdef";

void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes) {
        out += digits[byte >> 4U];
        out += digits[byte & 0x0FU];
    }
}

// Lower case only, as the standard has it. `text` has two digits for each byte.
bool read_hex(std::string_view text, std::span<std::uint8_t> bytes) {
    if (text.find_first_not_of(digits) != std::string_view::npos) return false;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] =
            static_cast<std::uint8_t>(digits.find(text[2 * i]) * 16 + digits.find(text[2 * i + 1]));
    }
    return true;
}

bool is_zero(std::span<const std::uint8_t> bytes) {
    return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

void draw(std::span<std::uint8_t> bytes, Random& random) {
    do {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            if (i % 8 == 0) bits = random.next();
            bytes[i] = static_cast<std::uint8_t>(bits >> (8 * (i % 8)));
        }
    } while (is_zero(bytes));
}

}  // namespace

std::string TraceContext::trace_id() const {
    std::string out;
    append_hex(out, trace);
    return out;
}

std::string TraceContext::to_header() const {
    std::string out = "00-";
    append_hex(out, trace);
    out += '-';
    append_hex(out, span);
    out += sampled ? "-01" : "-00";
    return out;
}

TraceContext TraceContext::child(Random& random) const {
    TraceContext out = *this;
    draw(out.span, random);
    return out;
}

std::optional<TraceContext> parse_traceparent(std::string_view field) {
    if (field.size() < field_length || field[2] != '-' || field[35] != '-' || field[52] != '-') {
        return std::nullopt;
    }
    std::array<std::uint8_t, 1> version{};
    std::array<std::uint8_t, 1> flags{};
    TraceContext out;
    if (!read_hex(field.substr(0, 2), version) || !read_hex(field.substr(3, 32), out.trace) ||
        !read_hex(field.substr(36, 16), out.span) || !read_hex(field.substr(53, 2), flags)) {
        return std::nullopt;
    }
    if (version[0] == 0xFF || is_zero(out.trace) || is_zero(out.span)) return std::nullopt;
    const bool longer = field.size() > field_length;
    if (longer && (version[0] == 0 || field[field_length] != '-')) return std::nullopt;
    out.sampled = (flags[0] & 1U) != 0;
    return out;
}

TraceContext new_trace(Random& random) {
    TraceContext out;
    draw(out.trace, random);
    return out.child(random);
}

}  // namespace rollcall
