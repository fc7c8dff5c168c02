#include "clerk/json_document.hpp"

#include <gtest/gtest.h>
#include <string>

namespace rollcall::clerk {
namespace {

// The text as the parser understood it, "none" when it is not JSON.
std::string read(std::string_view text) {
    JsonDocument document;
    const auto root = document.parse(text);
    return root ? std::string(simdjson::minify(*root)) : "none";
}

std::string tamed(std::string text) {
    tame(text);
    return text;
}

TEST(JsonDocument, ReadsJson) {
    EXPECT_EQ(read(R"( {"a": [1, -2.5, true, null, "x"]} )"), R"({"a":[1,-2.5,true,null,"x"]})");
}

TEST(JsonDocument, RefusesAFaultAnywhere) {
    for (const std::string_view text :
         {"", " ", "{", "{}x", "{} {}", "[1,]", "[1,tru]", "{\"a\":01}", "[-]", "[1.]",
          "[\"\x01\"]", "[\"\xff\"]", "\xef\xbb\xbf{}", "[\"\\u12\"]", "['a']", "[+1]", "[NaN]"}) {
        EXPECT_EQ(read(text), "none") << text;
    }
    EXPECT_EQ(read(std::string("[\"a\0b\"]", 7)), "none");
}

TEST(JsonDocument, TakesNumbersThatNoMachineHolds) {
    EXPECT_EQ(read("[123456789012345678901234567890]"), "[null]");
    EXPECT_EQ(read("[-9223372036854775809,1e400,1]"), "[null,null,1]");
    EXPECT_EQ(read(R"({"1e400": 12345678901234567890123})"), R"({"1e400":null})");
}

TEST(JsonDocument, StillRefusesNumbersThatAreNone) {
    for (const std::string_view text :
         {"[00000000000000000000001]", "[1e999999-]", "[1234567890123456789012345.]",
          "[12345678901234567890e]", "[--12345678901234567890123]"}) {
        EXPECT_EQ(read(text), "none") << text;
    }
}

TEST(JsonDocument, ReadsLoneSurrogatesAsReplacementCharacters) {
    EXPECT_EQ(read(R"(["\ud83d\ude00"])"), "[\"\U0001F600\"]");
    EXPECT_EQ(read(R"(["\ud83dx","\ude00","\uD800\u0041"])"),
              "[\"\uFFFDx\",\"\uFFFD\",\"\uFFFDA\"]");
    EXPECT_EQ(read(R"(["\ud83d\ud83d\ude00"])"), "[\"\uFFFD\U0001F600\"]");
}

TEST(JsonDocument, TamesInsideTheRightPlacesOnly) {
    EXPECT_EQ(tamed(R"(["123456789012345678901234567890 \\ud800"])"),
              R"(["123456789012345678901234567890 \\ud800"])");
    EXPECT_EQ(tamed(R"(["\"", 1e500])"), R"(["\"", null ])");
    EXPECT_EQ(tamed("[1234567890123456789]"), "[null               ]");
    EXPECT_EQ(tamed(R"("\ud8)"), R"("\ud8)");
    EXPECT_EQ(tamed(R"("abc\)"), R"("abc\)");
}

TEST(JsonDocument, ServesTextsOfAnySizeInAnyOrder) {
    JsonDocument document;
    const std::string large = "[\"" + std::string(1'000'000, 'x') + "\"]";
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(document.parse("[1]"));
        EXPECT_TRUE(document.parse(large));
        EXPECT_FALSE(document.parse(large.substr(0, large.size() - 1)));
        EXPECT_FALSE(document.parse(""));
    }
}

}  // namespace
}  // namespace rollcall::clerk
