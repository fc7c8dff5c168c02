// Base64 in its two forms, and hexadecimal. Each has one text for each string of bytes and one
// only: what is decoded is refused when it has white space, digits of the other form, or unused
// bits that are not zero.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rollcall::crypto {

// RFC 4648 section 4; padding required.
[[nodiscard]] std::string base64_encode(std::string_view bytes);
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

// As JOSE has it: RFC 4648 section 5 without padding (RFC 7515 section 2), so that no second token
// stands for a first.
[[nodiscard]] std::string base64url_encode(std::string_view bytes);
[[nodiscard]] std::optional<std::string> base64url_decode(std::string_view text);

[[nodiscard]] std::string hex_encode(std::string_view bytes);

}  // namespace rollcall::crypto
