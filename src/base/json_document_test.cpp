#include "base/json_document.hpp"

#include <gtest/gtest.h>
#include <string>

namespace rollcall {
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
          "[\"\x01\"]", "[\xff]", "\xef\xbb\xbf{}", "[\"\\u12\"]", "['a']", "[+1]", "[NaN]"}) {
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

TEST(JsonDocument, ReadsWhatIsNotUtf8AsQuestionMarks) {
    EXPECT_EQ(read("[\"\xff\",\"\xc3\xa9\",\"\xc3\"]"), "[\"?\",\"\xc3\xa9\",\"?\"]");
    EXPECT_EQ(read("[\"\xed\xa0\x80\xf0\x9f\"]"), "[\"?????\"]");
    EXPECT_EQ(read("[\"\xc0\x80\"]"), "[\"??\"]");
    EXPECT_EQ(read("[\"\\\xff\"]"), "none");  // no escape
}

std::string nested(std::size_t levels, std::string_view inside = "") {
    return std::string(levels, '[') + std::string(inside) + std::string(levels, ']');
}

TEST(JsonDocument, ReadsAnyNesting) {
    JsonDocument document;
    for (const std::size_t levels : {1022U, 1023U, 1024U, 1025U, 1200U, 400'000U, 3U, 500'000U}) {
        EXPECT_TRUE(document.parse(nested(levels))) << levels;
        EXPECT_FALSE(document.parse(nested(levels) + "]")) << levels;
        EXPECT_FALSE(document.parse("[" + nested(levels))) << levels;
        EXPECT_FALSE(document.parse(nested(levels, "{]"))) << levels;
    }
    EXPECT_TRUE(document.parse(nested(2000, R"({"a":1e999,"b":"\ud800]]]"})")));
    EXPECT_FALSE(document.parse(std::string(1'000'000, '[')));
    EXPECT_TRUE(document.parse("{}"));
}

TEST(JsonDocument, CountsTheLevels) {
    const auto levels = [](std::string text) { return tame(text).nesting; };
    EXPECT_EQ(levels("1"), 0U);
    EXPECT_EQ(levels(R"({"[[[":[{},"\"[[["]})"), 3U);
    EXPECT_EQ(levels("]]][[]"), 2U);
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
}  // namespace rollcall
