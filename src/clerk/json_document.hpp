// One JSON text of Clerk's, read as a whole: a fault anywhere in it makes it no JSON. Internal to
// this folder. Keeps its buffers for the next text, except after a large one.
//
// simdjson refuses some texts that RFC 8259 allows and that a user's metadata may hold: integers
// beyond 64 bits, numbers beyond double, escaped lone surrogates. Those are read as null and
// U+FFFD: rollcall uses none of them, and the event's own bytes are kept elsewhere.
#pragma once

#include <simdjson.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace rollcall::clerk {

class JsonDocument {
public:
    // Buffers that a text made larger than `kept_bytes_max` are given back before the next one. An
    // event or a user has a few KB.
    explicit JsonDocument(std::size_t kept_bytes_max = 256UL * 1024)
        : kept_bytes_max_(kept_bytes_max) {}

    // The root, valid until the next call; nothing when `text` is not JSON.
    [[nodiscard]] std::optional<simdjson::dom::element> parse(std::string_view text);

private:
    struct Buffers {
        simdjson::dom::parser parser;
        std::unique_ptr<char[]> text;
        std::size_t capacity = 0;
    };
    std::size_t kept_bytes_max_;
    std::unique_ptr<Buffers> buffers_;
};

// Overwrites, in place and at the same length, every number that could be beyond simdjson by null
// and every escaped lone surrogate by \ufffd. Says whether there was one. What is not JSON stays no
// JSON.
bool tame(std::span<char> text);

// Readers of one value; a value of another type is as one that is absent.
[[nodiscard]] std::optional<std::string_view> as_string(const simdjson::dom::element& value);
[[nodiscard]] bool as_flag(const simdjson::dom::element& value);  // absent: false
// Whole milliseconds or seconds since 1970 up to the year 9999; a fraction is cut off; else 0.
[[nodiscard]] std::int64_t as_time(const simdjson::dom::element& value);

}  // namespace rollcall::clerk
