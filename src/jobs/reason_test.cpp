#include "jobs/reason.hpp"

#include "pg/error.hpp"

#include <gtest/gtest.h>

namespace rollcall::jobs {
namespace {

TEST(CleanReason, KeepsWhatIsFine) {
    EXPECT_EQ(clean_reason("Clerk answered 503"), "Clerk answered 503");
    EXPECT_EQ(clean_reason("gr\u00FC\u00DFe \u20AC \U0001F600"),
              "gr\u00FC\u00DFe \u20AC \U0001F600");
    EXPECT_EQ(clean_reason(""), "");
}

TEST(CleanReason, ReplacesWhatNoTextColumnTakes) {
    EXPECT_EQ(clean_reason(std::string_view("a\0b\nc\x7F", 6)), "a b c ");
    EXPECT_EQ(clean_reason("\xFF\xC0\xAF|\xED\xA0\x80|\xF4\x90\x80\x80|\xE2\x82"),
              "???|???|????|??");
}

TEST(CleanReason, CutsBetweenCharacters) {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "\u20AC";
    const auto clean = clean_reason(text);
    EXPECT_EQ(clean.size(), 999U);
    EXPECT_EQ(clean, text.substr(0, 999));
}

TEST(ReasonOf, NamesTheStateButNotTheData) {
    const pg::SqlError data("invalid input: \"someone@example.com\"", "22P02", "");
    EXPECT_EQ(reason_of(data), "database refused, SQLSTATE 22P02");
    const pg::SqlError unique("duplicate key", "23505", "User_email_key");
    EXPECT_EQ(reason_of(unique), "database refused, SQLSTATE 23505, constraint User_email_key");
    const pg::SqlError denied("permission denied for table job_queue", "42501", "");
    EXPECT_EQ(reason_of(denied),
              "database refused, SQLSTATE 42501: permission denied for table job_queue");
}

}  // namespace
}  // namespace rollcall::jobs
