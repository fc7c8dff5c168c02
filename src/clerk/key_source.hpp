// Where the keys of session tokens come from, and whose tokens they are: decided once, from
// settings. The order is CLERK_JWT_KEY, gate.jwks_url, the Backend API (with a secret key), the
// Frontend API (with a publishable key); the issuer is gate.issuer, else the publishable key's
// Frontend API. Pure; every refusal is bad_configuration and names the setting.
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "crypto/verify_key.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::clerk {

struct KeySettings {
    std::string jwt_key;          // PEM of the instance's public key
    std::string jwks_url;         // of any key set
    std::string api_url;          // of the Backend API, without /v1
    Secret secret_key;            // sk_live_…, sk_test_…
    std::string publishable_key;  // pk_live_…, pk_test_…
    std::string issuer;
};

struct KeySource {
    std::optional<crypto::VerifyKey> pinned;  // then nothing is ever fetched
    std::string url;                          // else
    Secret bearer;                            // of the Backend API
    std::string issuer;                       // "" when none is known: no token will be believed
};

[[nodiscard]] Result<KeySource> choose_key_source(const KeySettings& settings);

// "https://clerk.example.com" of a publishable key: its third part is the base64 of that host and
// a dollar sign (clerk.com/docs/guides/how-clerk-works/overview#publishable-key).
[[nodiscard]] Result<std::string> frontend_api_of(std::string_view publishable_key);

// Names of the cookies that clerk-js keeps the session token in, those of this instance alone
// first: on a development host several instances share "__session". The suffix is the beginning of
// the base64url of the publishable key's SHA-1 (getCookieSuffix of @clerk/shared).
[[nodiscard]] std::vector<std::string> session_cookies(std::string_view publishable_key);

}  // namespace rollcall::clerk
