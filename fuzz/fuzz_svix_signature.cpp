// The judge of deliveries: no bytes in the headers are accepted but those that were signed, and no
// text is taken for a secret that is too short.
//
// An input is split at its newlines: id, timestamp, signature, secrets, and the rest is the body.
// An empty signature, or one that begins with "+", is signed here first, so that the accepting path
// is searched as well.
#include "base/result.hpp"
#include "webhooks/signature.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace {

using namespace rollcall;
using webhooks::SigningSecrets;

constexpr std::string_view known = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SystemTime now{std::chrono::seconds(1'762'340'400)};

std::string_view next_line(std::string_view& rest) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return line;
}

bool is_signable(std::string_view id, std::string_view timestamp) {
    return !id.empty() && id.size() <= webhooks::id_bytes_max && timestamp.size() <= 15 &&
           std::ranges::all_of(id, [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_now(std::string_view timestamp) {
    if (timestamp.empty() || timestamp.size() > 15) return false;
    long long seconds = 0;
    for (const char c : timestamp) {
        if (c < '0' || c > '9') return false;
        seconds = seconds * 10 + (c - '0');
    }
    return seconds >= 1'762'340'100 && seconds <= 1'762'340'700;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const SigningSecrets secrets = *SigningSecrets::parse(known);
    std::string_view body(reinterpret_cast<const char*>(data), size);
    const std::string_view id = next_line(body);
    const std::string_view timestamp = next_line(body);
    const std::string_view given = next_line(body);
    const std::string_view other_secrets = next_line(body);

    std::string right;
    if (is_signable(id, timestamp)) right = secrets.sign(0, id, timestamp, body);
    std::string signature(given);
    if (given.empty()) signature = right;
    if (given.starts_with('+')) signature = std::string(given.substr(1)) + " " + right;

    http::Fields fields;
    fields.add("svix-id", id);
    fields.add("svix-timestamp", timestamp);
    fields.add("svix-signature", signature);
    const auto headers = webhooks::delivery_headers(fields);
    const auto verified = webhooks::verify(secrets, headers, body, now);
    const bool holds = (" " + signature + " ").find(" " + right + " ") != std::string::npos;
    ensure(verified.has_value() == (!right.empty() && is_now(timestamp) && holds),
           "accepted exactly when signed, now");
    ensure(verified || !to_string(verified.error()).empty(), "a refusal has a name");

    if (const auto parsed = SigningSecrets::parse(other_secrets)) {
        ensure(parsed->size() >= 1 && parsed->size() <= 16, "between one and sixteen secrets");
        ensure(other_secrets.size() >= 32, "24 bytes take 32 characters");
        const bool same = other_secrets.contains(known.substr(6));
        ensure(!given.empty() || same || !webhooks::verify(*parsed, headers, body, now),
               "another secret does not verify");
    }
    return 0;
}
