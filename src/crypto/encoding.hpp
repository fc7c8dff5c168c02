// Base64 (RFC 4648 section 4) and hexadecimal.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rollcall::crypto {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
// Strict: the standard alphabet, padding required, no white space, unused bits zero.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

[[nodiscard]] std::string hex_encode(std::string_view bytes);

}  // namespace rollcall::crypto
