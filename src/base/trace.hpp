// W3C trace context as a value: which trace a request belongs to, and which span of it asked. What
// came in one header (`traceparent`) is passed on in the next with a span of our own. Pure.
#pragma once

#include "base/random.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall {

struct TraceContext {
    std::array<std::uint8_t, 16> trace{};
    std::array<std::uint8_t, 8> span{};
    bool sampled = false;  // whoever began it records it

    // Of no trace; there is nothing to pass on.
    [[nodiscard]] bool empty() const { return trace == decltype(trace){}; }
    [[nodiscard]] std::string trace_id() const;  // 32 hexadecimal digits
    // The field of version 00: 00-<trace>-<span>-<flags>.
    [[nodiscard]] std::string to_header() const;
    // The same trace, a new span.
    [[nodiscard]] TraceContext child(Random& random) const;

    friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

// Nothing unless it is a whole, valid field: of version 00, or the first four parts of a later one.
[[nodiscard]] std::optional<TraceContext> parse_traceparent(std::string_view field);

// The beginning of a trace.
[[nodiscard]] TraceContext new_trace(Random& random);

}  // namespace rollcall
