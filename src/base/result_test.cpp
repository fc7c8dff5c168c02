#include "base/result.hpp"

#include "base/secret.hpp"

#include <gtest/gtest.h>
#include <set>

namespace rollcall {
namespace {

constexpr ErrorCode all_codes[] = {
    ErrorCode::invalid_input, ErrorCode::bad_configuration, ErrorCode::unauthenticated,
    ErrorCode::forbidden,     ErrorCode::not_found,         ErrorCode::conflict,
    ErrorCode::rate_limited,  ErrorCode::unavailable,       ErrorCode::internal};

TEST(ErrorCode, EachHasItsNameAndStatus) {
    std::set<std::string_view> names;
    for (const ErrorCode code : all_codes) {
        names.insert(to_string(code));
        EXPECT_GE(http_status(code), 400U);
        EXPECT_LT(http_status(code), 600U);
    }
    EXPECT_EQ(names.size(), std::size(all_codes));
    EXPECT_EQ(http_status(ErrorCode::not_found), 404U);
    EXPECT_EQ(http_status(ErrorCode::unavailable), 503U);
}

TEST(ErrorCode, OnlyTemporaryTroubleIsRetryable) {
    EXPECT_TRUE(retryable(ErrorCode::unavailable));
    EXPECT_TRUE(retryable(ErrorCode::rate_limited));
    EXPECT_FALSE(retryable(ErrorCode::invalid_input));
    EXPECT_FALSE(retryable(ErrorCode::conflict));
}

TEST(EnsureDeathTest, SaysWhatAndWhere) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    ensure(true, "nothing happens");
    EXPECT_DEATH(ensure(false, "the sky is up"), "the sky is up.*result_test.cpp");
}

TEST(Secret, ShowsAtMostFourCharacters) {
    EXPECT_EQ(Secret("sk_test_0123456789abcdef").masked(), "sk_t****");
    EXPECT_EQ(Secret("short").masked(), "****");
    EXPECT_EQ(Secret().masked(), "");
}

TEST(Secret, CopiesAndMoves) {
    Secret a("value");
    Secret b = a;
    EXPECT_EQ(b.reveal(), "value");
    Secret c = std::move(a);
    EXPECT_EQ(c.reveal(), "value");
    b = Secret("other");
    c = b;
    EXPECT_EQ(c.reveal(), "other");
    EXPECT_FALSE(c.empty());
    c = Secret();
    EXPECT_TRUE(c.empty());
}

}  // namespace
}  // namespace rollcall
