#include "clerk/session_claims.hpp"

#include <gtest/gtest.h>
#include <string>

namespace rollcall::clerk {
namespace {

std::string payload(const std::string& more) {
    return R"({"exp":1795473058,"iat":1795469458,"sub":"user_a1","sid":"sess_a1")" + more + "}";
}

TEST(SessionClaimsReader, ANameCountsAsAWhole) {
    ASSERT_TRUE(read_session_claims(payload("")));
    const auto known = read_session_claims(payload(R"(,"v":2,"sts":"pending","jti":"t1")"));
    ASSERT_TRUE(known);
    EXPECT_EQ(known->version, 2);
    EXPECT_EQ(known->status, "pending");
    EXPECT_EQ(known->token_id, "t1");
    // Zero bytes before it, more after it, or half of it make another name, whatever its value.
    const std::string zero = R"(\u0000)";
    for (const std::string& name :
         {zero + zero + "v", zero + "v", "v" + zero, std::string("st"), std::string("stsx"),
          "sts" + zero, zero + "sts", std::string("STS"), std::string("")}) {
        const auto other = read_session_claims(payload(",\"" + name + "\":[]"));
        ASSERT_TRUE(other) << name << ": " << other.error().detail;
        EXPECT_EQ(other->version, known->version - 1) << name;
        EXPECT_FALSE(other->status) << name;
    }
    EXPECT_FALSE(read_session_claims(payload(R"(,"v":[])")));
    EXPECT_FALSE(read_session_claims(payload(R"(,"sts":[])")));
}

}  // namespace
}  // namespace rollcall::clerk
