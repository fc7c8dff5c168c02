// A signed token in compact form (RFC 7515 section 3.1), taken apart and not yet believed. Exactly
// three parts of canonical base64url, 8 KiB at most, a header that is strict JSON. What would
// change how the rest is to be understood is refused, not ignored: crit, zip, cty, b64, enc. Where
// a token points at a key of its own (jwk, jku, x5u, x5c, x5t) is never read: the key comes from
// configuration alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::crypto {

inline constexpr std::size_t token_bytes_max = 8UL * 1024;

struct JwsHeader {
    std::string alg;  // as the token says it
    std::optional<std::string> kid, typ, cat;
};

struct Jws {
    std::shared_ptr<const JwsHeader> header;  // never null; tokens of one key may share it
    std::string_view signed_bytes;            // header and payload as they stand in the token
    std::string payload;
    std::string signature;
};

enum class JwsFault : std::uint8_t { too_large, malformed };

struct JwsRefusal {
    JwsFault fault = JwsFault::malformed;
    std::string_view detail;  // static text; nothing of the token
};

// `token` must outlive the answer.
[[nodiscard]] std::expected<Jws, JwsRefusal> read_compact(std::string_view token);

}  // namespace rollcall::crypto
