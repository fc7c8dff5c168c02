// One JSON text of a neighbour's (Clerk, Supabase Auth), read as a whole: a fault anywhere in it
// makes it no JSON. Keeps its buffers for the next text, except after a large one.
//
// Nothing that a user may write into their own metadata or name makes a text unreadable: else they
// could keep the neighbour's word about them, a ban say, from being read. What simdjson refuses of
// it is read as something near: integers beyond 64 bits and numbers beyond double as null, escaped
// lone surrogates as U+FFFD, bytes of a string that are not UTF-8 as '?'. Nesting has no limit but
// the text's size: beyond simdjson's 1,024 levels a text takes 9 bytes more for each of its levels,
// so 4.5 times its size at most. The event's own bytes are kept elsewhere.
#pragma once

#include <simdjson.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace rollcall {

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

        [[nodiscard]] std::size_t largest() const;
        void make_room(std::size_t bytes);
        // For a text that simdjson did not take: once more, tamed and with room for its levels.
        simdjson::simdjson_result<simdjson::dom::element> parse_tamed(std::size_t bytes);
    };
    std::size_t kept_bytes_max_;
    std::unique_ptr<Buffers> buffers_;
};

struct Tamed {
    bool changed = false;
    std::size_t nesting = 0;  // the deepest level; 1 is that of the root's own members
};

// Overwrites, in place and at the same length, every number that could be beyond simdjson by null,
// every escaped lone surrogate by \ufffd and every byte of a string that is not UTF-8 by '?'. Of
// what is otherwise not JSON it makes no JSON.
Tamed tame(std::span<char> text);

// Readers of one value; a value of another type is as one that is absent.
[[nodiscard]] std::optional<std::string_view> as_string(const simdjson::dom::element& value);
[[nodiscard]] bool as_flag(const simdjson::dom::element& value);  // absent: false
// Whole milliseconds or seconds since 1970 up to the year 9999; a fraction is cut off; else 0.
[[nodiscard]] std::int64_t as_time(const simdjson::dom::element& value);

}  // namespace rollcall
