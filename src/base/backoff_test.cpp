#include "base/backoff.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <set>

namespace rollcall {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, CeilingDoublesUntilTheMax) {
    const Backoff backoff{.base = milliseconds(500), .max = milliseconds(60'000)};
    EXPECT_EQ(backoff_ceiling(backoff, 0), milliseconds(500));
    EXPECT_EQ(backoff_ceiling(backoff, 1), milliseconds(1000));
    EXPECT_EQ(backoff_ceiling(backoff, 6), milliseconds(32'000));
    EXPECT_EQ(backoff_ceiling(backoff, 7), milliseconds(60'000));
    EXPECT_EQ(backoff_ceiling(backoff, 8), milliseconds(60'000));
}

TEST(Backoff, CeilingNeverOverflows) {
    const Backoff widest{.base = milliseconds(1), .max = milliseconds::max()};
    EXPECT_EQ(backoff_ceiling(widest, std::numeric_limits<int>::max()), milliseconds::max());
    const Backoff upside_down{.base = milliseconds(9000), .max = milliseconds(100)};
    EXPECT_EQ(backoff_ceiling(upside_down, 0), milliseconds(100));
}

TEST(Backoff, DelayIsSpreadOverTheWholeRange) {
    const Backoff backoff{.base = milliseconds(8), .max = milliseconds(1000)};
    Random random(7);
    std::set<std::int64_t> seen;
    for (int i = 0; i < 2000; ++i) {
        const auto delay = backoff_delay(backoff, 1, random);
        ASSERT_GE(delay, milliseconds(1));
        ASSERT_LE(delay, milliseconds(16));
        seen.insert(delay.count());
    }
    EXPECT_EQ(seen.size(), 16U);
}

}  // namespace
}  // namespace rollcall
