// The keys that the simulated instance signs session tokens with, and the set that it publishes:
// RSA of 2048 bits, the newest signs. The first one is made when it is needed, unless it was given:
// most runs never ask for a token. For use on one event loop.
#pragma once

#include "crypto/rsa_signing_key.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sim {

class ClerkSigningKeys {
public:
    // Published at the same time; the oldest gives way.
    static constexpr std::size_t keys_max = 8;

    struct Named {
        std::string kid;
        crypto::RsaSigningKey key;
    };

    // What the first key is called.
    explicit ClerkSigningKeys(std::string first_kid) : first_kid_(std::move(first_kid)) {}

    // Instead of the first one; before any other call.
    void give(crypto::RsaSigningKey key);

    [[nodiscard]] const Named& current();
    // A new key signs from now on. With `overlap` those before it stay published.
    void rotate(std::string kid, bool overlap);
    // Takes a key out of the set; false when there is none of that name but the current one.
    [[nodiscard]] bool withdraw(std::string_view kid);
    // The newest first.
    [[nodiscard]] const std::vector<Named>& published();

    // {"keys":[{use,kty,kid,alg,n,e}]}: what GET /v1/jwks and the Frontend API's
    // /.well-known/jwks.json answer (Clerk OpenAPI 2026-05-12, "WellKnown.JWKS").
    [[nodiscard]] std::string jwks();

private:
    std::string first_kid_;
    std::vector<Named> keys_;
};

}  // namespace rollcall::sim
