#include "base/random.hpp"

#include <array>
#include <bit>

namespace rollcall {
namespace {

std::mt19937_64 engine_from_system() {
    std::random_device device;
    std::seed_seq seeds{device(), device(), device(), device(),
                        device(), device(), device(), device()};
    return std::mt19937_64(seeds);
}

}  // namespace

Random::Random() : engine_(engine_from_system()) {}

double Random::fraction() {
    return static_cast<double>(next() >> 11U) * 0x1.0p-53;
}

std::int64_t Random::between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
}

Uuid uuid_v7(std::int64_t unix_ms, Uuid bits) {
    const auto time = static_cast<std::uint64_t>(unix_ms);
    for (unsigned i = 0; i < 6; ++i) {
        bits.bytes[i] = static_cast<std::uint8_t>(time >> (40U - 8U * i));
    }
    bits.bytes[6] = static_cast<std::uint8_t>(0x70U | (bits.bytes[6] & 0x0FU));
    bits.bytes[8] = static_cast<std::uint8_t>(0x80U | (bits.bytes[8] & 0x3FU));
    return bits;
}

Uuid uuid_v7(std::int64_t unix_ms, Random& random) {
    const std::array<std::uint64_t, 2> drawn{random.next(), random.next()};
    return uuid_v7(unix_ms, std::bit_cast<Uuid>(drawn));
}

std::string to_string(const Uuid& uuid) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += digits[uuid.bytes[i] >> 4U];
        text += digits[uuid.bytes[i] & 0x0FU];
    }
    return text;
}

}  // namespace rollcall
