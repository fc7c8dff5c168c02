#include "base/clock.hpp"

#include <gtest/gtest.h>

namespace rollcall {
namespace {

using std::chrono::milliseconds;

TEST(Rfc3339, HasMillisecondsAndZ) {
    EXPECT_EQ(to_rfc3339(SystemTime(milliseconds(0))), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(to_rfc3339(SystemTime(milliseconds(1795297545123))), "2026-11-21T21:45:45.123Z");
    EXPECT_EQ(to_rfc3339(SystemTime(milliseconds(-1))), "1969-12-31T23:59:59.999Z");
    EXPECT_EQ(to_rfc3339(SystemTime(milliseconds(951782400000))), "2000-02-29T00:00:00.000Z");
}

TEST(ParseDuration, TakesEveryUnit) {
    EXPECT_EQ(parse_duration("200ms"), milliseconds(200));
    EXPECT_EQ(parse_duration("5s"), milliseconds(5000));
    EXPECT_EQ(parse_duration("10m"), milliseconds(600'000));
    EXPECT_EQ(parse_duration("6h"), milliseconds(21'600'000));
    EXPECT_EQ(parse_duration("1d"), milliseconds(86'400'000));
    EXPECT_EQ(parse_duration("0s"), milliseconds(0));
}

TEST(ParseDuration, RefusesEverythingElse) {
    for (const char* text : {"", "5", "s", "-5s", "+5s", " 5s", "5s ", "5 s", "1.5s", "5S", "5sec",
                             "0x5s", "18446744073709551616ms", "18446744073709551615d", "36501d"}) {
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
    }
}

TEST(ParseSize, TakesBytesAndBinaryUnits) {
    EXPECT_EQ(parse_size("512"), 512U);
    EXPECT_EQ(parse_size("64KiB"), 65'536U);
    EXPECT_EQ(parse_size("1MiB"), 1'048'576U);
    EXPECT_EQ(parse_size("1GiB"), 1'073'741'824U);
}

TEST(ParseSize, RefusesEverythingElse) {
    for (const char* text : {"", "KiB", "1KB", "1kib", "-1", "1 MiB", "1.5MiB",
                             "18446744073709551616", "17179869184GiB"}) {
        EXPECT_EQ(parse_size(text), std::nullopt) << text;
    }
}

TEST(ManualClock, MovesBothTimes) {
    ManualClock clock(SystemTime(milliseconds(1000)));
    const auto before = clock.steady();
    clock.advance(milliseconds(250));
    EXPECT_EQ(clock.now(), SystemTime(milliseconds(1250)));
    EXPECT_EQ(clock.steady() - before, milliseconds(250));
}

}  // namespace
}  // namespace rollcall
