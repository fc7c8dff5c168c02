// The textual form of a public key (RFC 7468), as people paste it into files and environments.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace rollcall::crypto {

// The bytes of the one "PUBLIC KEY" that `text` holds, and nothing else but white space; \n written
// as two characters counts as such. invalid_input says what it is instead; never repeats it, since
// it may be a private key.
[[nodiscard]] Result<std::string> public_key_der(std::string_view text);

}  // namespace rollcall::crypto
