#include "base/random.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace rollcall {
namespace {

TEST(Random, ASeedRepeats) {
    Random a(1);
    Random b(1);
    Random c(2);
    const auto first = a.next();
    EXPECT_EQ(first, b.next());
    EXPECT_NE(first, c.next());
    EXPECT_NE(Random().next(), Random().next());
}

TEST(Random, FractionIsBelowOne) {
    Random random(1);
    double sum = 0;
    for (int i = 0; i < 10'000; ++i) {
        const double value = random.fraction();
        ASSERT_GE(value, 0);
        ASSERT_LT(value, 1);
        sum += value;
    }
    EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

TEST(Random, BetweenIncludesBothEnds) {
    Random random(1);
    std::set<std::int64_t> seen;
    for (int i = 0; i < 200; ++i) seen.insert(random.between(-1, 1));
    EXPECT_EQ(seen, (std::set<std::int64_t>{-1, 0, 1}));
}

TEST(UuidV7, HasTimeVersionAndVariant) {
    Random random(1);
    const Uuid uuid = uuid_v7(0x0123456789AB, random);
    EXPECT_THAT(to_string(uuid),
                testing::MatchesRegex("01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}"
                                      "-[0-9a-f]{12}"));
    EXPECT_EQ(uuid, uuid);
    EXPECT_FALSE(uuid == uuid_v7(0x0123456789AB, random));
}

TEST(UuidV7, SortsByTime) {
    Random random(1);
    EXPECT_LT(to_string(uuid_v7(1000, random)), to_string(uuid_v7(1001, random)));
}

}  // namespace
}  // namespace rollcall
