#include "crypto/pem.hpp"

#include "base/ascii.hpp"
#include "crypto/encoding.hpp"

namespace rollcall::crypto {
namespace {

constexpr std::size_t pem_bytes_max = 16UL * 1024;
constexpr std::string_view begin_mark = "-----BEGIN ";
constexpr std::string_view dashes = "-----";

std::unexpected<Error> refused(std::string_view message) {
    return fail(ErrorCode::invalid_input, "PEM: " + std::string(message));
}

constexpr std::string_view white_space = " \t\r\n";

// What .env files and container settings make of the ends of lines.
std::string with_line_ends(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const std::string_view two = text.substr(at, 2);
        if (two == "\\n" || two == "\\r") {
            out += '\n';
            ++at;
        } else {
            out += text[at];
        }
    }
    return out;
}

std::string_view advice_on(std::string_view label) {
    if (label == "RSA PUBLIC KEY") {
        return "an RSA PUBLIC KEY (PKCS#1); openssl rsa -RSAPublicKey_in -pubout makes a PUBLIC "
               "KEY of it";
    }
    if (label == "CERTIFICATE") {
        return "a certificate; openssl x509 -pubkey -noout shows its PUBLIC KEY";
    }
    if (label.ends_with("PRIVATE KEY")) return "a private key, where the PUBLIC KEY belongs";
    return "another object than a PUBLIC KEY";
}

}  // namespace

Result<std::string> public_key_der(std::string_view text) {
    if (text.size() > pem_bytes_max) return refused("too large");
    const std::string lines = with_line_ends(text);
    std::string_view rest = trimmed(lines, white_space);
    if (!rest.starts_with(begin_mark)) return refused("does not begin with -----BEGIN PUBLIC KEY");
    rest.remove_prefix(begin_mark.size());
    const std::size_t label_end = rest.find(dashes);
    if (label_end == std::string_view::npos) return refused("its first line has no end");
    const std::string_view label = rest.substr(0, label_end);
    if (label != "PUBLIC KEY") return refused(advice_on(label));
    rest.remove_prefix(label_end + dashes.size());
    constexpr std::string_view end_mark = "-----END PUBLIC KEY-----";
    if (!rest.ends_with(end_mark)) return refused("does not end with -----END PUBLIC KEY-----");
    rest.remove_suffix(end_mark.size());
    std::string digits;
    for (const char c : rest) {
        if (!white_space.contains(c)) digits += c;
    }
    auto der = base64_decode(digits);
    if (!der || der->empty()) return refused("its content is not base64, or not one key");
    return *std::move(der);
}

}  // namespace rollcall::crypto
