#include "webhooks/signature.hpp"

#include "base/ascii.hpp"
#include "base/secret.hpp"
#include "crypto/encoding.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace rollcall::webhooks {
namespace {

constexpr std::size_t secrets_max = 16;
constexpr std::size_t secret_bytes_min = 24;
constexpr std::size_t secret_bytes_max = 512;
constexpr std::size_t timestamp_digits_max = 15;
constexpr std::string_view secret_prefix = "whsec_";
constexpr std::string_view version_prefix = "v1,";
constexpr std::string_view white_space = " \t\r\n";

bool is_id(std::string_view id) {
    return !id.empty() && id.size() <= id_bytes_max &&
           std::ranges::all_of(id, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::optional<SystemTime> time_of(std::string_view digits) {
    if (digits.size() > timestamp_digits_max || !std::ranges::all_of(digits, is_digit)) {
        return std::nullopt;
    }
    std::int64_t seconds = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    return SystemTime(std::chrono::seconds(seconds));
}

// The base64 of the MAC. A strict decoder takes exactly one text for 32 bytes, so the texts are
// compared and nothing of the sender's needs decoding.
std::string encoded_mac(const crypto::HmacKey& key, std::string_view id, std::string_view timestamp,
                        std::string_view body) {
    std::array<char, id_bytes_max + timestamp_digits_max + 2> prefix;
    char* end = std::ranges::copy(id, prefix.begin()).out;
    *end++ = '.';
    end = std::ranges::copy(timestamp, end).out;
    *end++ = '.';
    const crypto::Sha256 mac =
        key.sign({prefix.data(), static_cast<std::size_t>(end - prefix.data())}, body);
    return crypto::base64_encode({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

// Whether one of the space-separated signatures is `expected`. Looks at all of them.
bool holds(std::string_view signatures, std::string_view expected) {
    bool found = false;
    while (!signatures.empty()) {
        const std::size_t end = std::min(signatures.find(' '), signatures.size());
        std::string_view one = signatures.substr(0, end);
        signatures.remove_prefix(std::min(end + 1, signatures.size()));
        if (!one.starts_with(version_prefix)) continue;
        one.remove_prefix(version_prefix.size());
        found = crypto::equal_constant_time(one, expected) || found;
    }
    return found;
}

Result<crypto::HmacKey> key_of(std::string_view word, const std::string& which) {
    if (word.starts_with(secret_prefix)) word.remove_prefix(secret_prefix.size());
    auto decoded = crypto::base64_decode(word);
    if (!decoded) {
        return fail(ErrorCode::bad_configuration,
                    which + " is not \"whsec_\" and base64: copy it from the endpoint's page");
    }
    const Secret secret(*std::move(decoded));
    const std::size_t size = secret.reveal().size();
    if (size < secret_bytes_min || size > secret_bytes_max) {
        return fail(ErrorCode::bad_configuration,
                    which + " decodes to " + std::to_string(size) + " bytes; it must be at least " +
                        std::to_string(secret_bytes_min) + " and at most " +
                        std::to_string(secret_bytes_max));
    }
    return crypto::HmacKey(secret.reveal());
}

// The places of a delivery's headers within svix-* or webhook-*.
struct Found {
    std::array<std::string_view, 3> value;
    std::array<int, 3> count{};

    void add(std::size_t at, std::string_view text) {
        value[at] = ++count[at] == 1 ? text : std::string_view();
    }
    [[nodiscard]] bool any() const { return count[0] + count[1] + count[2] > 0; }
};

constexpr std::array<std::string_view, 3> svix_names{"svix-id", "svix-timestamp", "svix-signature"};
constexpr std::array<std::string_view, 3> standard_names{"webhook-id", "webhook-timestamp",
                                                         "webhook-signature"};

}  // namespace

std::string_view to_string(Refusal refusal) {
    switch (refusal) {
        case Refusal::missing_header:
            return "missing_header";
        case Refusal::bad_timestamp:
            return "bad_timestamp";
        case Refusal::stale_timestamp:
            return "stale_timestamp";
        case Refusal::future_timestamp:
            return "future_timestamp";
        case Refusal::no_matching_signature:
            return "no_matching_signature";
        case Refusal::bad_secret:
            return "bad_secret";
    }
    return "bad_secret";
}

Result<SigningSecrets> SigningSecrets::parse(std::string_view text) {
    SigningSecrets secrets;
    for (;;) {
        text.remove_prefix(std::min(text.find_first_not_of(white_space), text.size()));
        if (text.empty()) break;
        const std::size_t end = std::min(text.find_first_of(white_space), text.size());
        if (secrets.size() == secrets_max) {
            return fail(ErrorCode::bad_configuration,
                        "more than " + std::to_string(secrets_max) + " webhook secrets");
        }
        auto key = key_of(text.substr(0, end),
                          "webhook secret number " + std::to_string(secrets.size() + 1));
        if (!key) return std::unexpected(std::move(key).error());
        secrets.keys_.push_back(*std::move(key));
        text.remove_prefix(end);
    }
    if (secrets.keys_.empty()) {
        return fail(ErrorCode::bad_configuration, "the webhook secret is empty");
    }
    return secrets;
}

std::string SigningSecrets::sign(std::size_t slot, std::string_view id, std::string_view timestamp,
                                 std::string_view body) const {
    ensure(slot < keys_.size(), "a slot that is there");
    ensure(is_id(id) && timestamp.size() <= timestamp_digits_max, "headers that can be verified");
    return std::string(version_prefix) + encoded_mac(keys_[slot], id, timestamp, body);
}

DeliveryHeaders delivery_headers(const http::Fields& fields) {
    Found svix;
    Found standard;
    for (const auto& [name, value] : fields.all()) {
        if (name.size() < svix_names[0].size()) continue;
        for (std::size_t at = 0; at < svix_names.size(); ++at) {
            if (http::same_name(name, svix_names[at])) svix.add(at, value);
            if (http::same_name(name, standard_names[at])) standard.add(at, value);
        }
    }
    const Found& found = svix.any() ? svix : standard;
    return {.id = found.value[0], .timestamp = found.value[1], .signature = found.value[2]};
}

std::expected<Verified, Refusal> verify(const SigningSecrets& secrets,
                                        const DeliveryHeaders& headers, std::string_view body,
                                        SystemTime now) {
    if (secrets.size() == 0) return std::unexpected(Refusal::bad_secret);
    if (!is_id(headers.id) || headers.timestamp.empty() || headers.signature.empty()) {
        return std::unexpected(Refusal::missing_header);
    }
    const auto sent_at = time_of(headers.timestamp);
    if (!sent_at) return std::unexpected(Refusal::bad_timestamp);
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    if (*sent_at < second - tolerance) return std::unexpected(Refusal::stale_timestamp);
    if (*sent_at > second + tolerance) return std::unexpected(Refusal::future_timestamp);

    std::optional<std::size_t> slot;
    for (std::size_t at = 0; at < secrets.keys_.size(); ++at) {
        const std::string expected =
            encoded_mac(secrets.keys_[at], headers.id, headers.timestamp, body);
        if (holds(headers.signature, expected) && !slot) slot = at;
    }
    if (!slot) return std::unexpected(Refusal::no_matching_signature);
    return Verified{.slot = *slot, .sent_at = *sent_at};
}

}  // namespace rollcall::webhooks
