// Where the simulated Clerk delivers its events, and the secrets it signs them with (Svix's
// scheme). Pure: time is passed in. The address must be a loopback one: made-up events are for this
// machine alone.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "crypto/digest.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sim {

// Whether `host` (no port; IPv6 with or without brackets) names this machine: localhost,
// 127.0.0.0/8, ::1.
[[nodiscard]] bool is_loopback_host(std::string_view host);
// bad_configuration unless `url` is http or https to a loopback host.
[[nodiscard]] Result<void> check_webhook_url(std::string_view url);
// bad_configuration unless `listen` (address:port) is a loopback address.
[[nodiscard]] Result<void> check_loopback_listen(std::string_view listen);

// Which keys a signature is made with: as it should be, or as the faults want it.
enum class SigningMode : std::uint8_t { valid_keys, old_key, unknown_key };

class WebhookEndpoint {
public:
    // A replaced secret stays valid this long, as Svix has it.
    static constexpr std::chrono::hours old_secret_life{24};

    std::string url;  // empty: events are kept as missing
    bool enabled = true;

    // Makes `secret` the current one; the one before stays valid for `old_life`.
    // bad_configuration unless it is "whsec_" (or nothing) and base64 of 24 to 64 bytes.
    [[nodiscard]] Result<void> rotate(std::string_view secret, SteadyTime now,
                                      std::chrono::milliseconds old_life = old_secret_life);

    [[nodiscard]] bool reachable() const { return enabled && !url.empty(); }
    // The current one first, then those still valid. Empty before the first rotate().
    [[nodiscard]] std::vector<std::string> secrets(SteadyTime now) const;
    // The value of svix-signature: "v1,<base64>" for each key, separated by spaces.
    [[nodiscard]] std::string sign(std::string_view id, std::string_view timestamp,
                                   std::string_view body, SigningMode mode, SteadyTime now) const;

private:
    struct Key {
        std::string text;
        crypto::HmacKey hmac;
        SteadyTime until;
    };
    std::vector<Key> keys_;  // newest first
};

}  // namespace rollcall::sim
