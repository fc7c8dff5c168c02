// JSON about which a verdict on safety is made: tokens and key sets. One text has one meaning or
// none: RFC 8259 to the letter, and beyond it no name twice in an object at any level (names are
// compared unescaped), at most `depth_max` levels, no lone surrogates, no number that a double or
// 64 bits cannot hold. JsonDocument (base) is for the opposite: what must be read if it can be.
#pragma once

#include <simdjson.h>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <vector>

namespace rollcall::crypto {

enum class JsonFault : std::uint8_t { not_json, too_deep, duplicate_name };

class StrictJson {
public:
    static constexpr std::size_t depth_max = 32;  // the root object is level 1

    // The root, valid until the next call and as long as this is.
    [[nodiscard]] std::expected<simdjson::dom::element, JsonFault> parse(std::string_view text);

    // In an order of no meaning, which mostly takes one comparison of numbers.
    struct Name {
        Name() = default;
        explicit Name(std::string_view name);
        auto operator<=>(const Name&) const = default;

        std::uint64_t begin = 0;  // the first seven bytes, and the length (mod 256) in the highest
        std::string_view text;
    };

private:
    simdjson::dom::parser parser_;
    std::vector<Name> names_;  // kept for its memory alone
};

// Of an object without duplicates; nothing when there is none of this name.
[[nodiscard]] std::optional<simdjson::dom::element> member(const simdjson::dom::object& object,
                                                           std::string_view name);

[[nodiscard]] std::string_view to_string(JsonFault fault);  // a phrase for messages

}  // namespace rollcall::crypto
