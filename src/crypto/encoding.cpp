#include "crypto/encoding.hpp"

#include <array>
#include <cstdint>

namespace rollcall::crypto {
namespace {

constexpr std::uint32_t group_max = (1U << 24U) - 1;  // of four digits
constexpr std::uint32_t no_digit = group_max + 1;

// The 64 digits, and what each byte stands for among them.
struct Alphabet {
    constexpr explicit Alphabet(std::string_view last_two) {
        for (char c = 'A'; c <= 'Z'; ++c) add(c);
        for (char c = 'a'; c <= 'z'; ++c) add(c);
        for (char c = '0'; c <= '9'; ++c) add(c);
        for (const char c : last_two) add(c);
    }
    constexpr void add(char c) {
        for (std::size_t place = 0; place < values.size(); ++place) {
            values.at(place).at(static_cast<std::uint8_t>(c)) = count << 6U * place;
        }
        digits.at(count++) = c;
    }

    std::uint32_t count = 0;
    std::array<char, 64> digits{};
    // By its place in a group, counted from the last.
    std::array<std::array<std::uint32_t, 256>, 4> values = [] {
        std::array<std::array<std::uint32_t, 256>, 4> none{};
        for (auto& place : none) place.fill(no_digit);
        return none;
    }();
};

constexpr Alphabet plain("+/");
constexpr Alphabet for_urls("-_");

// Without padding.
std::string encode(std::string_view bytes, const Alphabet& alphabet) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t group = 0;
    unsigned bits = 0;
    for (const char c : bytes) {
        group = (group << 8U | static_cast<std::uint8_t>(c)) & 0xFFFFU;
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            out += alphabet.digits[group >> bits & 63U];
        }
    }
    if (bits > 0) out += alphabet.digits[group << (6 - bits) & 63U];
    return out;
}

// The numbers of `digits`, four at most, one after the other; beyond group_max where one is none.
std::uint32_t group_of(std::string_view digits, const Alphabet& alphabet) {
    std::uint32_t group = 0;
    for (std::size_t place = digits.size(); const char c : digits) {
        group |= alphabet.values[--place][static_cast<std::uint8_t>(c)];
    }
    return group;
}

std::optional<std::string> decode(std::string_view digits, const Alphabet& alphabet) {
    const std::size_t rest = digits.size() % 4;
    if (rest == 1) return std::nullopt;  // six bits are no byte
    std::string out(digits.size() * 3 / 4, '\0');
    char* at = out.data();
    std::uint32_t all = 0;
    for (; digits.size() >= 4; digits.remove_prefix(4)) {
        const std::uint32_t group = group_of(digits.substr(0, 4), alphabet);
        all |= group;
        *at++ = static_cast<char>(group >> 16U);
        *at++ = static_cast<char>(group >> 8U);
        *at++ = static_cast<char>(group);
    }
    const std::uint32_t group = group_of(digits, alphabet);
    if ((all | group) > group_max) return std::nullopt;
    if (rest == 0) return out;
    const unsigned spare = rest == 2 ? 4 : 2;  // bits beyond whole bytes: none may be set
    if ((group & ((1U << spare) - 1U)) != 0) return std::nullopt;
    if (rest == 3) *at++ = static_cast<char>(group >> 10U);
    *at = static_cast<char>(group >> spare);
    return out;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string out = encode(bytes, plain);
    out.append((4 - out.size() % 4) % 4, '=');
    return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
    return decode(text, plain);
}

std::string base64url_encode(std::string_view bytes) {
    return encode(bytes, for_urls);
}

std::optional<std::string> base64url_decode(std::string_view text) {
    return decode(text, for_urls);
}

std::string hex_encode(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        out += digits[static_cast<std::uint8_t>(bytes[at]) >> 4U];
        out += digits[static_cast<std::uint8_t>(bytes[at]) & 15U];
    }
    return out;
}

}  // namespace rollcall::crypto
