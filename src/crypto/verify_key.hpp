// A public key that signatures of tokens are checked with: RSA of at least 2048 bits or a point of
// P-256. An algorithm is one of three and belongs to the key: what a token says of itself cannot
// make a key serve another. There is no value for `none`, nor for an HMAC, so a token cannot ask
// for one (RFC 8725 sections 3.1 and 3.2). Contexts are made once, for use on one event loop.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::crypto {

// RFC 7518 section 3.1.
enum class Algorithm : std::uint8_t { rs256, es256, ps256 };

[[nodiscard]] std::string_view to_string(Algorithm algorithm);
// Nothing for any other name; upper case as registered.
[[nodiscard]] std::optional<Algorithm> parse_algorithm(std::string_view name);

class VerifyKey {
public:
    // Big-endian numbers (RFC 7518 section 6.3.1); zeros before them are nothing. invalid_input for
    // a modulus that is even, below 2048 bits or above 8192 or of weak primes (CVE-2017-15361), an
    // exponent that is even, below 3 or above 64 bits.
    static Result<VerifyKey> from_rsa(std::string_view modulus, std::string_view exponent);
    // Coordinates of 32 bytes each (RFC 7518 section 6.2.1); invalid_input for no point of P-256.
    static Result<VerifyKey> from_p256(std::string_view x, std::string_view y);
    // One "PUBLIC KEY" (RFC 7468 section 13), also with its lines run together, or with \n for
    // their ends, as environments hold it. invalid_input says what it is instead.
    static Result<VerifyKey> from_pem(std::string_view pem);

    VerifyKey(VerifyKey&&) noexcept;
    VerifyKey& operator=(VerifyKey&&) noexcept;
    ~VerifyKey();

    // RSA keys serve RS256 and PS256, those of P-256 ES256; after only(), that one alone.
    [[nodiscard]] bool serves(Algorithm algorithm) const;
    void only(Algorithm algorithm);

    // False for an algorithm that the key does not serve. A signature of ES256 is r and s, 32 bytes
    // each (RFC 7518 section 3.4), neither of them zero.
    [[nodiscard]] bool verify(Algorithm algorithm, std::string_view bytes,
                              std::string_view signature) const;

    // The required members of its JWK, in the order and form that RFC 7638 hashes.
    [[nodiscard]] const std::string& members() const;
    // RFC 7638, of SHA-256.
    [[nodiscard]] std::string thumbprint() const;

private:
    struct State;
    explicit VerifyKey(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

}  // namespace rollcall::crypto
