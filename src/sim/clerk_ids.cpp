#include "sim/clerk_ids.hpp"

#include "crypto/encoding.hpp"

#include <algorithm>
#include <array>

namespace rollcall::sim {

namespace {

// Sebastiano Vigna's SplitMix64: a well-mixed word for every counter value.
std::uint64_t mix(std::uint64_t word) {
    word += 0x9e3779b97f4a7c15U;
    word = (word ^ (word >> 30U)) * 0xbf58476d1ce4e5b9U;
    word = (word ^ (word >> 27U)) * 0x94d049bb133111ebU;
    return word ^ (word >> 31U);
}

std::uint64_t fnv1a(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return hash;
}

// 160 bits, most significant word first, as 27 base62 digits.
std::string base62(std::array<std::uint32_t, 5> words) {
    constexpr std::string_view digits =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::string text(27, '0');
    for (std::size_t at = text.size(); at > 0; --at) {
        std::uint64_t remainder = 0;
        for (auto& word : words) {
            const std::uint64_t dividend = (remainder << 32U) | word;
            word = static_cast<std::uint32_t>(dividend / 62);
            remainder = dividend % 62;
        }
        text[at - 1] = digits[remainder];
    }
    return text;
}

std::string bytes_of(std::uint64_t word) {
    std::string bytes(8, '\0');
    for (auto& byte : bytes) {
        byte = static_cast<char>(word & 0xffU);
        word >>= 8U;
    }
    return bytes;
}

}  // namespace

IdMaker::IdMaker(std::uint64_t seed, Counters made) : seed_(seed), made_(std::move(made)) {}

IdMaker::Bits IdMaker::next(std::string_view prefix) {
    auto entry = made_.find(prefix);
    if (entry == made_.end()) entry = made_.emplace(prefix, 0).first;
    const std::uint64_t count = entry->second++;
    const std::uint64_t base = mix(seed_ ^ fnv1a(prefix)) + count * 4;
    return {mix(base), mix(base + 1), count};
}

std::string IdMaker::make(std::string_view prefix) {
    // A KSUID starts with seconds since May 2014. Here they count up from a fixed day, because ids
    // that hold the real time would differ from run to run.
    constexpr std::uint32_t first_second = 370'000'000;
    const auto bits = next(prefix);
    const std::array<std::uint32_t, 5> words{
        first_second + static_cast<std::uint32_t>(bits.count),
        static_cast<std::uint32_t>(bits.high >> 32U), static_cast<std::uint32_t>(bits.high),
        static_cast<std::uint32_t>(bits.low >> 32U), static_cast<std::uint32_t>(bits.low)};
    return std::string(prefix) + base62(words);
}

std::string IdMaker::trace_id() {
    const auto bits = next("trace");
    return crypto::hex_encode(bytes_of(bits.high) + bytes_of(bits.low));
}

std::string IdMaker::webhook_secret() {
    const auto bits = next("secret");
    return "whsec_" + crypto::base64_encode(bytes_of(bits.high) + bytes_of(bits.low) +
                                            bytes_of(mix(bits.high ^ bits.low)));
}

}  // namespace rollcall::sim
