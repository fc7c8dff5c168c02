// A private RSA key that signs as Clerk's instances do, RS256: what a simulated issuer has.
// rollcall's own tokens are signed by a SigningKey. For use on one event loop.
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace rollcall::crypto {

class RsaSigningKey {
public:
    // A new one of 2048 bits; takes some tenths of a second.
    static RsaSigningKey make();
    // An unencrypted PRIVATE KEY whose public half VerifyKey takes; else invalid_input.
    static Result<RsaSigningKey> from_pem(const Secret& pem);

    RsaSigningKey(RsaSigningKey&&) noexcept;
    RsaSigningKey& operator=(RsaSigningKey&&) noexcept;
    ~RsaSigningKey();

    // RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
    [[nodiscard]] std::string sign(std::string_view bytes) const;
    // The required members of its public JWK, as VerifyKey::members() has them.
    [[nodiscard]] const std::string& members() const;
    [[nodiscard]] const std::string& public_pem() const;

private:
    struct State;
    explicit RsaSigningKey(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

}  // namespace rollcall::crypto
