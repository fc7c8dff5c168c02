// Hashes, MACs, comparison without timing and key-grade random bytes; OpenSSL underneath.
#pragma once

#include "base/random.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace rollcall::crypto {

[[nodiscard]] std::string library_version();  // of OpenSSL, as it is at run time

using Sha256 = std::array<std::uint8_t, 32>;

[[nodiscard]] Sha256 sha256(std::string_view bytes);

// Not for secrets.
using Sha1 = std::array<std::uint8_t, 20>;
[[nodiscard]] Sha1 sha1(std::string_view bytes);

// Version 5 (RFC 9562): the id that `name` has in `name_space`, the same everywhere and for ever.
// Not for secrets: SHA-1.
[[nodiscard]] Uuid uuid_v5(const Uuid& name_space, std::string_view name);

// HMAC-SHA256 over the concatenation of up to three pieces, so that the caller need not join them.
class HmacKey {
public:
    explicit HmacKey(std::string_view key);
    ~HmacKey();
    HmacKey(HmacKey&&) noexcept;
    HmacKey& operator=(HmacKey&&) noexcept;

    [[nodiscard]] Sha256 sign(std::string_view a, std::string_view b = {},
                              std::string_view c = {}) const;

private:
    void* context_;  // EVP_MAC_CTX keyed once; duplicated per call
};

// Takes the same time wherever the first difference is. False at once for unequal sizes.
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b);

[[nodiscard]] std::string random_bytes(std::size_t count);

}  // namespace rollcall::crypto
