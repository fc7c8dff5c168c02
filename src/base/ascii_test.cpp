#include "base/ascii.hpp"

#include <gtest/gtest.h>

namespace rollcall {
namespace {

TEST(Ascii, KnowsEachOfTheBytes) {
    int digits = 0;
    int letters = 0;
    int plain = 0;
    int hex = 0;
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        digits += is_digit(c);
        letters += is_upper(c);
        plain += is_alphanumeric(c);
        hex += hex_value(c) >= 0;
        EXPECT_EQ(to_lower(c) != c, is_upper(c)) << byte;
        EXPECT_EQ(is_unreserved(c), is_alphanumeric(c) || std::string_view("-._~").contains(c));
    }
    EXPECT_EQ(digits, 10);
    EXPECT_EQ(letters, 26);
    EXPECT_EQ(plain, 62);
    EXPECT_EQ(hex, 22);
    EXPECT_EQ(hex_value('f'), 15);
    EXPECT_EQ(hex_value('A'), 10);
    EXPECT_EQ(hex_value('9'), 9);
}

TEST(Ascii, ComparesWithoutCase) {
    EXPECT_EQ(to_lower("AZaz09[\xC3\x84"), "azaz09[\xC3\x84");
    EXPECT_TRUE(same_but_for_case("Content-Length", "content-LENGTH"));
    EXPECT_FALSE(same_but_for_case("@", "`"));
    EXPECT_FALSE(same_but_for_case("a", "ab"));
}

TEST(Ascii, EncodesForUrls) {
    std::string out = "?";
    append_percent_encoded(out, "a-._~Z9 +/%\xFF");
    EXPECT_EQ(out, "?a-._~Z9%20%2B%2F%25%FF");
}

TEST(Ascii, Trims) {
    EXPECT_EQ(trimmed(" \ta b\t "), "a b");
    EXPECT_EQ(trimmed(" \t "), "");
    EXPECT_EQ(trimmed(""), "");
    EXPECT_EQ(trimmed("\na ", "\n"), "a ");
}

}  // namespace
}  // namespace rollcall
