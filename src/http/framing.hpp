// How the end of a body is known, and the chunks of one whose length is not (RFC 9112, sections 6.3
// and 7.1). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rollcall::http {

struct Framing {
    enum class Kind : std::uint8_t {
        none,    // there is no body
        length,  // so many bytes
        chunks,
        close,  // whatever comes until the connection ends
    };
    Kind kind = Kind::none;
    std::uint64_t length = 0;  // of Kind::length
};

// What stands before a chunk of `bytes`; `chunk_end` stands behind it.
[[nodiscard]] std::string chunk_head(std::size_t bytes);
inline constexpr std::string_view chunk_end = "\r\n";
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace rollcall::http
