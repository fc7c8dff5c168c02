// Randomness as a value that tests replace by a seed. Not for keys: crypto/ has those.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace rollcall {

class Random {
public:
    Random();  // seeded by the operating system
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    [[nodiscard]] std::uint64_t next() { return engine_(); }
    // Uniform in [0, 1).
    [[nodiscard]] double fraction();
    // Uniform in [low, high].
    [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high);

private:
    std::mt19937_64 engine_;
};

struct Uuid {
    std::uint8_t bytes[16];
    friend bool operator==(const Uuid&, const Uuid&) = default;
};

// Version 7 (RFC 9562): milliseconds since 1970, then random bits, so that ids made one after the
// other are near each other in an index.
[[nodiscard]] Uuid uuid_v7(std::int64_t unix_ms, Random& random);
// The same of `bits` that are random already, for an id that must be hard to guess.
[[nodiscard]] Uuid uuid_v7(std::int64_t unix_ms, Uuid bits);
[[nodiscard]] std::string to_string(const Uuid& uuid);

}  // namespace rollcall
