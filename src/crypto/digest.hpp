// Hashes, MACs, comparison without timing and key-grade random bytes; OpenSSL underneath.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace rollcall::crypto {

[[nodiscard]] std::string library_version();  // of OpenSSL, as it is at run time

using Sha256 = std::array<std::uint8_t, 32>;

[[nodiscard]] Sha256 sha256(std::string_view bytes);

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
