#include "base/json.hpp"

#include <gtest/gtest.h>

namespace rollcall {
namespace {

using namespace std::string_literals;

TEST(JsonString, EscapesWhatMustBe) {
    EXPECT_EQ(json_string("plain"), R"("plain")");
    EXPECT_EQ(json_string("a\"b\\c\n\r\t\b\x7f\0z"s), R"("a\"b\\c\n\r\t\u0008\u007f\u0000z")");
    EXPECT_EQ(json_string(""), R"("")");
}

TEST(JsonTime, IsQuotedOrNull) {
    EXPECT_EQ(json_time(SystemTime(std::chrono::milliseconds(1'500))),
              "\"1970-01-01T00:00:01.500Z\"");
    EXPECT_EQ(json_time(std::nullopt), "null");
}

TEST(JsonString, KeepsUtf8) {
    for (const std::string text : {"\u00fc", "\u20ac", "\U0001F600", "\uD7FF", "\uE000",
                                   "\U0010FFFF", "\u0800", "\U00010000"}) {
        EXPECT_EQ(json_string(text), '"' + text + '"');
    }
}

TEST(JsonString, ReplacesWhatIsNotUtf8) {
    const std::string bad = "\xEF\xBF\xBD";
    EXPECT_EQ(json_string("a\x80z"), "\"a" + bad + "z\"");
    EXPECT_EQ(json_string("\xC0\xAF"), '"' + bad + bad + '"');            // overlong '/'
    EXPECT_EQ(json_string("\xED\xA0\x80"), '"' + bad + bad + bad + '"');  // a surrogate
    EXPECT_EQ(json_string("\xF4\x90\x80\x80"), '"' + bad + bad + bad + bad + '"');
    EXPECT_EQ(json_string("\xE2\x82"), '"' + bad + bad + '"');  // cut short
    EXPECT_EQ(json_string("\xE0\x9F\xBF"), '"' + bad + bad + bad + '"');
    EXPECT_EQ(json_string("\xF0\x8F\xBF\xBF"), '"' + bad + bad + bad + bad + '"');
}

TEST(Utf8, IsToldFromOtherBytes) {
    EXPECT_TRUE(is_utf8(""));
    EXPECT_TRUE(is_utf8("a\u00fc\u20ac\U0001F600"));
    EXPECT_FALSE(is_utf8("\xC3"));
    EXPECT_FALSE(is_utf8("a\xFFz"));
}

}  // namespace
}  // namespace rollcall
