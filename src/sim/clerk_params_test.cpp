#include "sim/clerk_params.hpp"

#include <gtest/gtest.h>

namespace rollcall::sim {
namespace {

TEST(ParseRfc3339, ReadsOffsetsAndFractions) {
    EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(parse_rfc3339("2012-10-20T07:15:20.902Z"), 1'350'717'320'902);
    EXPECT_EQ(parse_rfc3339("2012-10-20T09:15:20.9029999+02:00"), 1'350'717'320'902);
    EXPECT_EQ(parse_rfc3339("2012-10-20t05:45:20-01:30"), 1'350'717'320'000);
    EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z"), 1'709'164'800'000);
}

TEST(ParseRfc3339, RefusesAnythingElse) {
    for (const auto* text :
         {"", "2012-10-20", "2012-10-20T07:15:20", "2012-10-20T07:15Z", "2023-02-29T00:00:00Z",
          "2012-13-01T00:00:00Z", "2012-10-20T24:00:00Z", "2012-10-20T07:15:20.Z",
          "2012-10-20T07:15:20Zz", "-012-10-20T07:15:20Z", "2012-10-20T07:15:20+0200",
          "2012-10-20T07:-1:20Z", "1350717320902"}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

TEST(Params, CollectsEveryComplaint) {
    const json::object body{{"name", 5}, {"colour", "blue"}, {"flag", "yes"}};
    Params params(body, {"name", "flag"});
    std::optional<std::string> name;
    bool flag = false;
    params.text("name", name);
    params.flag("flag", flag);
    ASSERT_TRUE(params.error());
    ASSERT_EQ(params.error()->items.size(), 3U);
    EXPECT_EQ(params.error()->items[0].code, "form_param_unknown");
    EXPECT_EQ(params.error()->items[1].param_name, "name");
    EXPECT_EQ(params.error()->items[2].param_name, "flag");
}

TEST(Params, MergesIntoWhatIsNoObject) {
    const json::object body{{"m", json::object{{"a", json::object{{"b", 1}, {"c", nullptr}}}}}};
    Params params(body, {"m"});
    json::value target = nullptr;
    params.merge_metadata("m", target);
    EXPECT_EQ(target, (json::value{{"a", json::object{{"b", 1}}}}));
    target = json::object{{"a", 7}};
    params.merge_metadata("m", target);
    EXPECT_EQ(target, (json::value{{"a", json::object{{"b", 1}}}}));
}

}  // namespace
}  // namespace rollcall::sim
