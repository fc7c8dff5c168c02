#include "sim/auth_json.hpp"

#include <gtest/gtest.h>

namespace rollcall::sim {
namespace {

using std::chrono::microseconds;

TEST(AuthJson, ReadsDurationsAsGoDoes) {
    EXPECT_EQ(parse_go_duration("876000h"), microseconds(3'153'600'000'000'000));
    EXPECT_EQ(parse_go_duration("1h30m"), microseconds(5'400'000'000));
    EXPECT_EQ(parse_go_duration("1.5h"), microseconds(5'400'000'000));
    EXPECT_EQ(parse_go_duration("-2s"), microseconds(-2'000'000));
    EXPECT_EQ(parse_go_duration("+3ms"), microseconds(3'000));
    EXPECT_EQ(parse_go_duration("0"), microseconds(0));
    for (const auto* text :
         {"", "1", "h", "-", "1d", "1 h", "1e3s", "inf", "1.2.3s", "9000000h", "1h forever"}) {
        EXPECT_FALSE(parse_go_duration(text)) << text;
    }
}

TEST(AuthJson, ReadsUuidsOfAnyVersion) {
    constexpr std::string_view lower = "0190a5c2-0000-5000-8000-00000000abcd";
    EXPECT_EQ(parse_uuid("0190A5C2-0000-5000-8000-00000000ABCD"), lower);
    EXPECT_EQ(parse_uuid("{0190a5c2-0000-5000-8000-00000000abcd}"), lower);
    EXPECT_EQ(parse_uuid("0190a5c20000500080000000 0000abcd"), std::nullopt);
    EXPECT_EQ(parse_uuid("0190a5c200005000800000000000abcd"), lower);
    for (const auto* text : {"", "{}", "user_2abc", "0190a5c2-0000-5000-8000-00000000abc",
                             "0190a5c2_0000_5000_8000_00000000abcd"}) {
        EXPECT_FALSE(parse_uuid(text)) << text;
    }
}

TEST(AuthJson, WritesTimesWithoutZerosBehind) {
    EXPECT_EQ(auth_time(1'700'000'000'123'456), "2023-11-14T22:13:20.123456Z");
    EXPECT_EQ(auth_time(1'700'000'000'120'000), "2023-11-14T22:13:20.12Z");
    EXPECT_EQ(auth_time(1'700'000'000'000'000), "2023-11-14T22:13:20Z");
}

TEST(AuthJson, TakesNullForAbsentAndRefusesOtherTypes) {
    const auto params = parse_user_params(R"({"email": null, "role": "r", "unknown": 1})");
    ASSERT_TRUE(params);
    EXPECT_EQ(params->email, "");
    EXPECT_EQ(params->role, "r");
    EXPECT_FALSE(params->user_metadata);
    for (const auto* body : {"", "{", "[]", R"({"email": 1})", R"({"email_confirm": "true"})",
                             R"({"app_metadata": "x"})", R"({"ban_duration": 3})"}) {
        const auto refused = parse_user_params(body);
        ASSERT_FALSE(refused) << body;
        EXPECT_EQ(refused.error().code, "bad_json");
    }
    EXPECT_FALSE(*parse_soft_delete(""));
    EXPECT_TRUE(*parse_soft_delete(R"({"should_soft_delete": true})"));
    EXPECT_FALSE(parse_soft_delete(R"({"should_soft_delete": 1})"));
}

}  // namespace
}  // namespace rollcall::sim
