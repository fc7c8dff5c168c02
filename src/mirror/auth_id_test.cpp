#include "mirror/auth_id.hpp"

#include <gtest/gtest.h>

namespace rollcall::mirror {
namespace {

// They are in databases by now: these values never change.
TEST(AuthId, IsTheSameForEver) {
    EXPECT_EQ(auth_id_of("user_2abc"), "820ab225-b053-5f6e-8f69-e60e3ffa53ca");
    EXPECT_NE(auth_id_of("user_2abd"), auth_id_of("user_2abc"));
    EXPECT_EQ(placeholder_address(auth_id_of("user_2abc")),
              "820ab225-b053-5f6e-8f69-e60e3ffa53ca@rollcall.invalid");
}

}  // namespace
}  // namespace rollcall::mirror
