#include "base/nearest.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace rollcall {
namespace {

TEST(Nearest, IsWhatWasProbablyMeant) {
    const std::vector<std::string> keys{"batch",         "lanes",          "lease",
                                        "max_attempts",  "backoff_base",   "backoff_max",
                                        "poll_interval", "connections_max"};
    EXPECT_EQ(nearest("leese", keys), "lease");
    EXPECT_EQ(nearest("LEASE", keys), "lease");
    EXPECT_EQ(nearest("backof_max", keys), "backoff_max");
    EXPECT_EQ(nearest("attempts_max", keys), "max_attempts");
    EXPECT_EQ(nearest("interval", keys), "poll_interval");
    EXPECT_EQ(nearest("max_connections", keys), "connections_max");
    EXPECT_EQ(nearest("colour", keys), std::nullopt);
    EXPECT_EQ(nearest("", keys), std::nullopt);
    EXPECT_EQ(nearest("lease", {}), std::nullopt);
    EXPECT_EQ(nearest(std::string(100'000, 'l'), keys), std::nullopt);
}

TEST(Nearest, OneNameInTheOther) {
    const std::vector<std::string> columns{"rank", "user_role", "city"};
    EXPECT_EQ(nearest("role", columns), "user_role");
    const std::vector<std::string> shorter{"mail", "nickname"};
    EXPECT_EQ(nearest("email", shorter), "mail");
    EXPECT_EQ(nearest("name", shorter), "nickname");
}

}  // namespace
}  // namespace rollcall
