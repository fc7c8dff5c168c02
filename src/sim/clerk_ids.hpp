// Ids that look like Clerk's: a prefix and 27 base62 characters (KSUID). Each is a function of the
// seed, the prefix and how many ids with that prefix were made before, so that a seed repeats a run
// whatever else happens between, and ids of one prefix sort in the order in which they were made.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace rollcall::sim {

class IdMaker {
public:
    // By prefix: how many ids were made.
    using Counters = std::map<std::string, std::uint64_t, std::less<>>;

    // `made` continues where an earlier maker with this seed stopped: no id comes twice.
    explicit IdMaker(std::uint64_t seed, Counters made = {});

    [[nodiscard]] std::string make(std::string_view prefix);  // "user_" -> user_2x…
    [[nodiscard]] std::string trace_id();                     // 32 lower-case hexadecimal digits
    [[nodiscard]] std::string webhook_secret();               // whsec_ and 24 bytes in base64

    [[nodiscard]] std::uint64_t seed() const { return seed_; }
    [[nodiscard]] const Counters& made() const { return made_; }

private:
    struct Bits {
        std::uint64_t high;
        std::uint64_t low;
        std::uint64_t count;
    };
    Bits next(std::string_view prefix);

    std::uint64_t seed_;
    Counters made_;
};

}  // namespace rollcall::sim
