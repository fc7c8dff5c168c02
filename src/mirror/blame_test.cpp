#include "mirror/blame.hpp"

#include <gtest/gtest.h>

namespace rollcall::mirror {
namespace {

TEST(Blame, WhereNobodysWriteWorksItIsNobodysFault) {
    Blame blame;
    blame.worked("user_c");
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(blame.failed("user_a"));
        EXPECT_FALSE(blame.failed("user_b"));
    }
}

TEST(Blame, WhoFailsAgainWhileOthersWorkIsToBlame) {
    Blame blame;
    EXPECT_FALSE(blame.failed("user_a"));
    blame.worked("user_b");
    EXPECT_TRUE(blame.failed("user_a"));
    EXPECT_FALSE(blame.failed("user_a")) << "nothing has worked since";
    blame.worked("user_b");
    EXPECT_TRUE(blame.failed("user_a"));
    blame.worked("user_a");
    EXPECT_FALSE(blame.failed("user_a"));
}

TEST(Blame, RemembersNoMoreThanItMay) {
    Blame blame(2);
    for (const char* user : {"user_a", "user_b", "user_c"}) EXPECT_FALSE(blame.failed(user));
    blame.worked("user_d");
    EXPECT_FALSE(blame.failed("user_a")) << "forgotten";
    EXPECT_TRUE(blame.failed("user_c"));
}

}  // namespace
}  // namespace rollcall::mirror
