#include "http/message.hpp"

#include <gtest/gtest.h>

namespace rollcall::http {
namespace {

TEST(Fields, NamesCompareWithoutCase) {
    Fields fields;
    fields.add("Content-Type", "a");
    EXPECT_EQ(fields.get("content-type"), "a");
    EXPECT_EQ(fields.get("CONTENT-TYPE"), "a");
    EXPECT_EQ(fields.get("Content-Typ"), std::nullopt);
    EXPECT_FALSE(same_name("a\x5B", "A\x7B"));  // '[' and '{' differ by the same bit as letters
}

TEST(Fields, AddKeepsAndSetReplaces) {
    Fields fields;
    fields.add("A", "1");
    fields.add("B", "2");
    fields.add("a", "3");
    EXPECT_EQ(fields.count("A"), 2U);
    EXPECT_EQ(fields.get("A"), "1");
    fields.set("a", "4");
    EXPECT_EQ(fields.count("A"), 1U);
    EXPECT_EQ(fields.get("A"), "4");
    EXPECT_EQ(fields.get("B"), "2");
    fields.set("C", "5");
    EXPECT_EQ(fields.all().size(), 3U);
}

TEST(Fields, ClearForgetsAll) {
    Fields fields;
    for (int i = 0; i < 100; ++i) fields.add("N" + std::to_string(i), "v");
    fields.clear();
    EXPECT_TRUE(fields.all().empty());
    EXPECT_EQ(fields.get("N1"), std::nullopt);
    fields.add("X", "1");
    fields.clear();
    fields.add("Y", "2");
    ASSERT_EQ(fields.all().size(), 1U);
    EXPECT_EQ(fields.all()[0], (Fields::Field{"Y", "2"}));
}

std::optional<std::string> parameter(std::string query, std::string_view name) {
    Request request;
    request.query = std::move(query);
    return request.query_parameter(name);
}

TEST(QueryParameter, IsDecoded) {
    EXPECT_EQ(parameter("mode=full&x=1", "mode"), "full");
    EXPECT_EQ(parameter("a=b%20c+d%2B", "a"), "b c d+");
    EXPECT_EQ(parameter("a=%C3%BC", "a"), "\u00fc");
    EXPECT_EQ(parameter("%61=1", "a"), "1");
    EXPECT_EQ(parameter("a=1&a=2", "a"), "1");
    EXPECT_EQ(parameter("a", "a"), "");
    EXPECT_EQ(parameter("a=", "a"), "");
    EXPECT_EQ(parameter("&&a=x=y&", "a"), "x=y");
}

TEST(QueryParameter, IsNothingWhenAbsentOrBadlyEncoded) {
    EXPECT_EQ(parameter("", "a"), std::nullopt);
    EXPECT_EQ(parameter("ab=1", "a"), std::nullopt);
    EXPECT_EQ(parameter("A=1", "a"), std::nullopt);
    for (const char* bad : {"a=%", "a=%4", "a=%4g", "a=%FF", "a=%00", "a=%C3", "a=1%"}) {
        EXPECT_EQ(parameter(bad, "a"), std::nullopt) << bad;
    }
}

TEST(Response, ErrorHasTheCodesStatusAndEscapedText) {
    const Response response = Response::error({ErrorCode::not_found, "no \"such\" user"});
    EXPECT_EQ(response.status, 404U);
    EXPECT_EQ(response.body, R"({"error":"no \"such\" user"})");
    EXPECT_EQ(response.headers.get("content-type"), "application/json");
}

}  // namespace
}  // namespace rollcall::http
