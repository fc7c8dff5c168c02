// The Svix scheme (Standard Webhooks): HMAC-SHA256 over "{id}.{timestamp}.{body}", the exact bytes.
// Pure: time is passed in. Stricter than Svix's own libraries where they were caught out: the
// timestamp is digits only, an empty or short secret is no secret, a header that comes twice counts
// as none. docs/webhooks.md lists the reasons.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "crypto/digest.hpp"
#include "http/message.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::webhooks {

// Why a delivery is refused. The names are stable; the sender never sees them.
enum class Refusal : std::uint8_t {
    missing_header,    // id, timestamp or signature absent, empty, twice, or an id not printable
                       // ASCII of at most `id_bytes_max`
    bad_timestamp,     // not 1 to 15 digits
    stale_timestamp,   // more than `tolerance` in the past
    future_timestamp,  // more than `tolerance` ahead
    no_matching_signature,
    bad_secret,  // no usable secret to check with
};
[[nodiscard]] std::string_view to_string(Refusal refusal);

inline constexpr std::chrono::seconds tolerance{300};  // exactly this far off is accepted
inline constexpr std::size_t id_bytes_max = 256;

// The three headers of a delivery, as they came.
struct DeliveryHeaders {
    std::string_view id;
    std::string_view timestamp;
    std::string_view signature;
};

struct Verified {
    std::size_t slot = 0;  // which secret matched
    SystemTime sent_at;    // the timestamp header
};

// The secrets in force: the current one first, then those being rotated out.
class SigningSecrets {
public:
    // Secrets separated by white space, each "whsec_" (or nothing) and the base64 of 24 to 512
    // bytes; at most 16. Else bad_configuration, naming the position and never the secret.
    [[nodiscard]] static Result<SigningSecrets> parse(std::string_view text);

    [[nodiscard]] std::size_t size() const { return keys_.size(); }
    // The signature of one delivery as it stands in the header, "v1,…". For self-tests.
    [[nodiscard]] std::string sign(std::size_t slot, std::string_view id,
                                   std::string_view timestamp, std::string_view body) const;

private:
    friend std::expected<Verified, Refusal> verify(const SigningSecrets&, const DeliveryHeaders&,
                                                   std::string_view, SystemTime);
    std::vector<crypto::HmacKey> keys_;
};

// Reads svix-*; when none of the three is there, webhook-*. A header that is absent or comes more
// than once is left empty. The views live as long as `fields`.
[[nodiscard]] DeliveryHeaders delivery_headers(const http::Fields& fields);

// Compares with every secret and every "v1" signature, whichever matches, so that the time taken
// tells nothing.
[[nodiscard]] std::expected<Verified, Refusal> verify(const SigningSecrets& secrets,
                                                      const DeliveryHeaders& headers,
                                                      std::string_view body, SystemTime now);

}  // namespace rollcall::webhooks
