#include "pg/params.hpp"

#include "pg/connection.hpp"

#include <gmock/gmock.h>
#include <array>
#include <string>

namespace rollcall::pg {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;

std::string bytes(const Params& params) {
    Arguments arguments;
    arguments.assign(params);
    return {arguments.values.at(0), static_cast<std::size_t>(arguments.lengths.at(0))};
}

TEST(Params, ScalarsAreBinaryInNetworkOrder) {
    EXPECT_EQ(bytes(Params().bigint(0x0102030405060708)), "\1\2\3\4\5\6\7\10"s);
    EXPECT_EQ(bytes(Params().bigint(-2)), "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE"s);
    EXPECT_EQ(bytes(Params().integer(258)), "\0\0\1\2"s);
    EXPECT_EQ(bytes(Params().boolean(true)), "\1"s);
    EXPECT_EQ(bytes(Params().boolean(false)), "\0"s);
    // Microseconds from 2000-01-01.
    EXPECT_EQ(bytes(Params().timestamptz(SystemTime(std::chrono::milliseconds(946'684'800'001)))),
              "\0\0\0\0\0\0\3\xE8"s);
}

TEST(Params, TextIsTextAndEndsInNul) {
    Params params;
    params.text("one").null().text("").text("two").bigint(1);
    Arguments arguments;
    arguments.assign(params);
    EXPECT_EQ(arguments.count(), 5);
    EXPECT_STREQ(arguments.values[0], "one");
    EXPECT_EQ(arguments.values[1], nullptr);
    EXPECT_STREQ(arguments.values[2], "");
    EXPECT_STREQ(arguments.values[3], "two");
    EXPECT_THAT(arguments.formats, ElementsAre(0, 0, 0, 0, 1));
}

TEST(Params, ANulByteInTextBecomesWhatTheServerRefuses) {
    Params params;
    params.text("x").text(std::string_view("a\0b\0", 4));
    Arguments arguments;
    arguments.assign(params);
    EXPECT_STREQ(arguments.values[0], "x");
    EXPECT_STREQ(arguments.values[1],
                 "a\xFF"
                 "b\xFF");
}

TEST(Params, ArraysCarryTypeSizeAndNulls) {
    const std::array<std::optional<std::string_view>, 3> texts{"ab", std::nullopt, ""};
    EXPECT_EQ(bytes(Params().text_array(texts)),
              "\0\0\0\1"          // dimensions
              "\0\0\0\1"          // holds NULLs
              "\0\0\0\x19"        // of text
              "\0\0\0\3\0\0\0\1"  // three, counted from 1
              "\0\0\0\2"
              "ab"
              "\xFF\xFF\xFF\xFF"
              "\0\0\0\0"s);
    const std::array<std::string_view, 1> json{"{}"};
    EXPECT_EQ(bytes(Params().jsonb_array(json)),
              "\0\0\0\1\0\0\0\0\0\0\x0E\xDA\0\0\0\1\0\0\0\1"
              "\0\0\0\3\1{}"s);
    EXPECT_EQ(bytes(Params().bigint_array({})), "\0\0\0\0\0\0\0\0\0\0\0\x14"s);
}

TEST(Params, CanBeReadAgainAfterTheyGrew) {
    Params params;
    for (int i = 0; i < 1000; ++i) params.text("value " + std::to_string(i));
    Arguments arguments;
    arguments.assign(params);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(arguments.values[static_cast<std::size_t>(i)], "value " + std::to_string(i));
    }
}

}  // namespace
}  // namespace rollcall::pg
