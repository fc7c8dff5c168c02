// A private key that rollcall signs its own tokens with: ES256, or HS256 where who reads them knows
// no other (a Supabase project of the old kind). Nothing that is verified here is ever verified
// with an HMAC: VerifyKey has no such algorithm. For use on one event loop.
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace rollcall::crypto {

class SigningKey {
public:
    // A new one of P-256.
    static SigningKey make();
    // An unencrypted PRIVATE KEY of P-256, as to_pem() writes it; else invalid_input.
    static Result<SigningKey> from_pem(const Secret& pem);
    // HS256; invalid_input below 32 bytes (RFC 7518 section 3.2).
    static Result<SigningKey> from_shared_secret(const Secret& secret);

    SigningKey(SigningKey&&) noexcept;
    SigningKey& operator=(SigningKey&&) noexcept;
    ~SigningKey();

    [[nodiscard]] std::string_view algorithm() const;  // ES256, HS256
    // As JOSE has it; of ES256 r and s, 32 bytes each.
    [[nodiscard]] std::string sign(std::string_view bytes) const;

    // Of ES256; "" for HS256, whose key nobody may see or name.
    [[nodiscard]] const std::string& kid() const;         // RFC 7638 thumbprint
    [[nodiscard]] const std::string& public_jwk() const;  // with kid, use and alg
    [[nodiscard]] Secret to_pem() const;                  // PKCS#8

    // A compact JWS (RFC 7515) of `payload`, a JSON object: header with alg, typ JWT and kid.
    [[nodiscard]] std::string issue(std::string_view payload) const;

private:
    struct State;
    explicit SigningKey(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

}  // namespace rollcall::crypto
