#include "crypto/strict_json.hpp"

#include <gtest/gtest.h>
#include <string>

namespace rollcall::crypto {
namespace {

std::optional<JsonFault> fault_of(std::string_view text) {
    StrictJson json;
    const auto parsed = json.parse(text);
    if (parsed) return std::nullopt;
    return parsed.error();
}

std::string nested(std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
}

TEST(StrictJson, TakesWhatRfc8259Describes) {
    for (const char* text :
         {"{}", "[]", "null", "true", "\"\"", " {\"a\":1}\n", "-0", "0.5e-7", "1E3",
          R"({"a":{"b":[1,2,{"c":null}]},"b":"a"})", R"("\u00e9\ud83d\ude00\/\b")",
          "18446744073709551615", "-9223372036854775808", R"({"":0})", "\"\xF0\x9F\x98\x80\""}) {
        EXPECT_EQ(fault_of(text), std::nullopt) << text;
    }
}

TEST(StrictJson, RefusesWhatIsNotJson) {
    for (const char* text : {"",
                             " ",
                             "{",
                             "}",
                             "{}x",
                             "{} {}",
                             "[1,]",
                             "{\"a\":1,}",
                             "{a:1}",
                             "{'a':1}",
                             "01",
                             "+1",
                             "1.",
                             ".5",
                             "1e",
                             "0x10",
                             "NaN",
                             "Infinity",
                             "-",
                             "tru",
                             "[1,2,tru,nope]",
                             "// x\n{}",
                             "\"\x01\"",
                             "\"\t\"",
                             R"("\x41")",
                             R"("\u12")",
                             R"("\)",
                             "\"a\nb\"",
                             "1e999",
                             "18446744073709551616",
                             "-9223372036854775809",
                             "\"a\" \"b\"",
                             "[1 2]",
                             "{\"a\" 1}"}) {
        EXPECT_EQ(fault_of(text), JsonFault::not_json) << text;
    }
}

TEST(StrictJson, RefusesWhatIsNotUtf8) {
    for (const char* text : {"\"\xFF\"", "\"\xC0\xAF\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"",
                             "\"\xE2\x82\"", "\xEF\xBB\xBF{}", "{\"\xFF\":1}", "\xFF\xFE{\0}\0"}) {
        EXPECT_EQ(fault_of(text), JsonFault::not_json) << text;
    }
}

TEST(StrictJson, RefusesHalfOfAPair) {
    for (const char* text :
         {R"("\ud800")", R"("\udc00")", R"("\ud800\ud800")", R"("\udc00\ud800")", R"("\ud800x")",
          R"({"\ud800":1})", R"({"\udfff":1})", R"("\ud83d\n")", R"(["a","\uDBFF"])"}) {
        EXPECT_EQ(fault_of(text), JsonFault::not_json) << text;
    }
}

TEST(StrictJson, RefusesANameTwice) {
    for (const char* text : {R"({"a":1,"a":1})", R"({"a":1,"b":2,"a":3})", R"({"x":{"a":1,"a":2}})",
                             R"([{"a":1,"a":2}])", R"({"a":1,"\u0061":2})", R"({"":1,"":2})",
                             R"([[[{"b":{},"c":[{"d":0,"d":0}]}]]])"}) {
        EXPECT_EQ(fault_of(text), JsonFault::duplicate_name) << text;
    }
    EXPECT_EQ(fault_of(R"({"a":{"a":1},"b":{"a":1},"A":1})"), std::nullopt);
}

TEST(StrictJson, CountsLevels) {
    EXPECT_EQ(fault_of(nested(32)), std::nullopt);
    EXPECT_EQ(fault_of(nested(33)), JsonFault::too_deep);
    EXPECT_EQ(fault_of(nested(1023)), JsonFault::too_deep);
    EXPECT_EQ(fault_of(nested(100'000)), JsonFault::too_deep);
    std::string objects;
    for (int i = 0; i < 32; ++i) objects += "{\"a\":";
    EXPECT_EQ(fault_of(objects + "1" + std::string(32, '}')), std::nullopt);
    EXPECT_EQ(fault_of("[" + objects + "1" + std::string(32, '}') + "]"), JsonFault::too_deep);
}

TEST(StrictJson, IsReadyForTheNextText) {
    StrictJson json;
    EXPECT_FALSE(json.parse("{\"a\":").has_value());
    const auto root = json.parse(R"({"a":"x"})");
    ASSERT_TRUE(root.has_value());
    simdjson::dom::object object;
    ASSERT_EQ(root->get_object().get(object), simdjson::SUCCESS);
    EXPECT_TRUE(member(object, "a").has_value());
    EXPECT_FALSE(member(object, "A").has_value());
    EXPECT_FALSE(json.parse("nope").has_value());
}

TEST(StrictJson, SaysWhatIsWrong) {
    EXPECT_EQ(to_string(JsonFault::duplicate_name), "a name twice in one object");
    EXPECT_EQ(to_string(JsonFault::too_deep), "nested too deeply");
    EXPECT_EQ(to_string(JsonFault::not_json), "not JSON");
}

}  // namespace
}  // namespace rollcall::crypto
