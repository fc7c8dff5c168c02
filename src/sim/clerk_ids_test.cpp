#include "sim/clerk_ids.hpp"

#include "crypto/encoding.hpp"

#include <gtest/gtest.h>
#include <set>

namespace rollcall::sim {
namespace {

TEST(IdMaker, MakesAPrefixAndTwentySevenBase62Characters) {
    IdMaker ids(1);
    const auto id = ids.make("user_");
    ASSERT_EQ(id.size(), 5U + 27U);
    EXPECT_TRUE(id.starts_with("user_"));
    EXPECT_EQ(
        id.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 5),
        std::string::npos);
}

TEST(IdMaker, RepeatsItselfForASeedWhateverElseIsMade) {
    IdMaker one(7);
    IdMaker other(7);
    (void)other.make("idn_");
    (void)other.trace_id();
    EXPECT_EQ(one.make("user_"), other.make("user_"));
    EXPECT_NE(IdMaker(7).make("user_"), IdMaker(8).make("user_"));
    EXPECT_NE(IdMaker(7).make("user_").substr(5), IdMaker(7).make("idn__").substr(5));
}

TEST(IdMaker, NeverRepeatsAnIdAndSortsByOrderOfMaking) {
    IdMaker ids(42);
    std::set<std::string> seen;
    std::string before;
    for (int i = 0; i < 20'000; ++i) {
        const auto id = ids.make("user_");
        EXPECT_TRUE(seen.insert(id).second);
        EXPECT_LT(before, id);
        before = id;
    }
}

TEST(IdMaker, ContinuesWhereAnEarlierOneStopped) {
    IdMaker whole(3);
    const auto first = whole.make("msg_");
    const auto second = whole.make("msg_");
    IdMaker before(3);
    EXPECT_EQ(before.make("msg_"), first);
    IdMaker after(3, before.made());
    EXPECT_EQ(after.make("msg_"), second);
}

TEST(IdMaker, MakesSecretsOfTwentyFourBytesAndTraceIdsOfThirtyTwoDigits) {
    IdMaker ids(5);
    const auto secret = ids.webhook_secret();
    ASSERT_TRUE(secret.starts_with("whsec_"));
    const auto key = crypto::base64_decode(secret.substr(6));
    ASSERT_TRUE(key.has_value());
    EXPECT_EQ(key->size(), 24U);
    const auto trace = ids.trace_id();
    EXPECT_EQ(trace.size(), 32U);
    EXPECT_EQ(trace.find_first_not_of("0123456789abcdef"), std::string::npos);
}

}  // namespace
}  // namespace rollcall::sim
