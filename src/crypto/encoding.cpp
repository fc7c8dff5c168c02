#include "crypto/encoding.hpp"

#include <array>
#include <cstdint>

namespace rollcall::crypto {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_digit = 0xFF;

constexpr std::array<std::uint8_t, 256> digit_values = [] {
    std::array<std::uint8_t, 256> values{};
    values.fill(no_digit);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        values[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}();

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint8_t>(bytes[at]);
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    std::size_t at = 0;
    for (; at + 3 <= bytes.size(); at += 3) {
        const std::uint32_t group =
            byte_at(bytes, at) << 16U | byte_at(bytes, at + 1) << 8U | byte_at(bytes, at + 2);
        out += alphabet[group >> 18U];
        out += alphabet[group >> 12U & 63U];
        out += alphabet[group >> 6U & 63U];
        out += alphabet[group & 63U];
    }
    if (bytes.size() - at == 1) {
        const std::uint32_t group = byte_at(bytes, at);
        out += alphabet[group >> 2U];
        out += alphabet[(group & 3U) << 4U];
        out += "==";
    } else if (bytes.size() - at == 2) {
        const std::uint32_t group = byte_at(bytes, at) << 8U | byte_at(bytes, at + 1);
        out += alphabet[group >> 10U];
        out += alphabet[group >> 4U & 63U];
        out += alphabet[(group & 15U) << 2U];
        out += '=';
    }
    return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
        ++padding;
    }
    const std::size_t digits = text.size() - padding;
    std::string out;
    out.reserve(text.size() / 4 * 3);
    std::uint32_t group = 0;
    unsigned bits = 0;
    for (std::size_t at = 0; at < digits; ++at) {
        const std::uint8_t value = digit_values[static_cast<std::uint8_t>(text[at])];
        if (value == no_digit) return std::nullopt;
        group = (group << 6U | value) & 0xFFFU;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out += static_cast<char>(group >> bits & 0xFFU);
        }
    }
    // Left over are 0, 2 or 4 bits: the padding makes it so.
    if ((group & ((1U << bits) - 1U)) != 0) return std::nullopt;
    return out;
}

std::string hex_encode(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        out += digits[byte_at(bytes, at) >> 4U];
        out += digits[byte_at(bytes, at) & 15U];
    }
    return out;
}

}  // namespace rollcall::crypto
