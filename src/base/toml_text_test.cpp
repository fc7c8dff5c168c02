#include "base/toml_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace rollcall {
namespace {

TEST(TomlText, LettersBeyondAsciiComeBack) {
    for (const std::string_view text :
         {"", "a = 1\n", "name = \"é ~ ~C3 ~~ ~\"", "\xF0\x9F\x99\x82", "~7E"}) {
        const auto ascii = toml_in_ascii(text);
        ASSERT_TRUE(ascii.has_value()) << text;
        EXPECT_TRUE(std::ranges::all_of(*ascii, [](char c) { return c > 0 && c < 0x7F; })) << text;
        EXPECT_EQ(toml_restored(*ascii), text);
    }
    EXPECT_EQ(toml_in_ascii("é~"), "~C3~A9~7E");
    EXPECT_EQ(toml_in_ascii("\xEF\xBB\xBF"
                            "a = 1"),
              "a = 1");
}

TEST(TomlText, WhatCannotComeBackIsRefused) {
    EXPECT_FALSE(toml_in_ascii("a = \"\xFF\"").has_value());
    for (const std::string_view escape :
         {"\\u007E", "\\u007e", "\\U0000007E", "\\U0000007e", "\\x7E", "\\x7e"}) {
        EXPECT_FALSE(toml_in_ascii("a = \"" + std::string(escape) + "\"").has_value()) << escape;
    }
}

TEST(TomlText, WhatIsNoEscapeStays) {
    EXPECT_EQ(toml_restored("~ ~1 ~XY ~"), "~ ~1 ~XY ~");
}

}  // namespace
}  // namespace rollcall
