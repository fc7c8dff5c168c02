#include "pg/failure.hpp"

#include "base/result.hpp"

#include <gtest/gtest.h>
#include <tuple>

namespace rollcall::pg {
namespace {

TEST(Failure, BecomesTheExceptionOfItsKind) {
    Failure refused{.kind = Failure::Kind::refused,
                    .message = "claim: no",
                    .sqlstate = "23505",
                    .constraint = "users_email_key"};
    try {
        raise(refused);
    } catch (const SqlError& error) {
        EXPECT_STREQ(error.what(), "claim: no");
        EXPECT_EQ(error.sqlstate(), "23505");
        EXPECT_EQ(error.constraint(), "users_email_key");
    }
    EXPECT_THROW(raise(unavailable("gone")), Unavailable);
    EXPECT_FALSE(or_refusal(Outcome<int>(std::unexpected(refused))).has_value());
    EXPECT_THROW(std::ignore = or_refusal(Outcome<int>(std::unexpected(unavailable("gone")))),
                 Unavailable);
    EXPECT_EQ(or_throw(Outcome<int>(7)), 7);
    EXPECT_THROW(or_throw(Outcome<void>(std::unexpected(refused))), SqlError);
}

TEST(Failure, WhatIsMissingIsMissingForAnyRow) {
    const auto error = [](std::string sqlstate, bool by_application) {
        return SqlError("insert: no", std::move(sqlstate), "", by_application);
    };
    for (const char* missing : {"42P01", "42703", "42883", "42501", "3F000", "55P03"}) {
        EXPECT_TRUE(error(missing, false).whatever_the_row()) << missing;
        EXPECT_FALSE(error(missing, true).whatever_the_row()) << missing;
    }
    for (const char* of_the_row : {"P0001", "23514", "22P02", "54000", "XX000"}) {
        EXPECT_FALSE(error(of_the_row, false).whatever_the_row()) << of_the_row;
    }
}

TEST(Failure, LibpqsWordsFitOnALine) {
    EXPECT_EQ(flatten("server closed the connection unexpectedly\n\tThis probably means\n"),
              "server closed the connection unexpectedly; This probably means");
    EXPECT_EQ(flatten(""), "");
    EXPECT_EQ(flatten("\n\n"), "");
}

}  // namespace
}  // namespace rollcall::pg
