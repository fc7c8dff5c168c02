#include "sync/deletion_guard.hpp"

#include <gtest/gtest.h>

namespace rollcall::sync {
namespace {

TEST(DeletionGuard, AllowsAFewOfASmallTable) {
    const DeletionGuard guard;
    EXPECT_FALSE(guard.holds(1, 1));
    EXPECT_FALSE(guard.holds(10, 20));
    EXPECT_TRUE(guard.holds(11, 20));
    EXPECT_TRUE(guard.holds(11, 1000));
}

TEST(DeletionGuard, AllowsAShareOfALargeOne) {
    const DeletionGuard guard;
    EXPECT_FALSE(guard.holds(50, 5000));
    EXPECT_TRUE(guard.holds(51, 5000));
}

TEST(DeletionGuard, OfNoneAllowsNone) {
    const DeletionGuard none{.users = 0, .ratio = 0};
    EXPECT_TRUE(none.holds(1, 5000));
}

}  // namespace
}  // namespace rollcall::sync
