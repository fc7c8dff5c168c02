// Base64url as JOSE has it: RFC 4648 section 5 without padding (RFC 7515 section 2). There is one
// text for each string of bytes and one only: what has padding, white space, characters of plain
// base64 or unused bits that are not zero is refused, so that no second token stands for a first.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rollcall::crypto {

[[nodiscard]] std::string base64url_encode(std::string_view bytes);
// Nothing unless `text` is what base64url_encode() gives for some bytes. "" is for none.
[[nodiscard]] std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace rollcall::crypto
