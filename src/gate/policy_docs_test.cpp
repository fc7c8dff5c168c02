#include "gate/policy_docs.hpp"

#include "gate/policy_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

namespace rollcall::gate {
namespace {

using testing::HasSubstr;

Policy policy() {
    const auto made = parse_policy(R"(version = 1
default = "deny"
[[rule]]
id = "read"
methods = ["GET"]
path = "/orders/{id}"
access = "protected"
summary = "Reads | one"
client = "user"
max_staleness = "600s"
[[rule]]
id = "rest"
path = "/orders/{order}"
access = "admin"
[[rule]]
id = "list"
path = "/orders"
methods = ["GET", "SEARCH"]
access = "public"
[[rule]]
id = "files"
path = "/files/**"
hosts = ["a.test"]
access = "public"
)",
                                   "p.toml");
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return Policy::make(made->fallback(), {made->rules().begin(), made->rules().end()}).value();
}

TEST(PolicyDocs, ATableOfAllRules) {
    const std::string table = policy_table(policy());
    EXPECT_THAT(table, HasSubstr("| read | GET | any | `/orders/{id}` | protected | user | 10m | "
                                 "Reads \\| one |\n"));
    EXPECT_THAT(table, HasSubstr("| files | any | a.test | `/files/**` | public |  |  |  |\n"));
    EXPECT_THAT(table, HasSubstr("| default | any | any | every other | deny |"));
}

TEST(PolicyDocs, JsonOfAllRules) {
    const auto made = boost::json::parse(policy_json(policy())).as_object();
    EXPECT_EQ(made.at("default"), "deny");
    const auto& rule = made.at("rules").at(0).as_object();
    EXPECT_EQ(rule.at("id"), "read");
    EXPECT_EQ(rule.at("methods").at(0), "GET");
    EXPECT_EQ(rule.at("max_staleness_milliseconds"), 600'000);
    EXPECT_TRUE(made.at("rules").at(1).at("client").is_null());
}

TEST(PolicyDocs, OpenApiSaysWhatEachOperationNeeds) {
    const auto made = boost::json::parse(openapi_json(policy())).as_object();
    const auto& paths = made.at("paths").as_object();
    ASSERT_EQ(paths.size(), 2U);  // one template, whatever the names of its segments
    const auto& order = paths.at("/orders/{id}").as_object();
    EXPECT_EQ(order.at("get").at("x-rollcall-rule"), "read");
    EXPECT_EQ(order.at("get").at("security").at(0).as_object().begin()->key(), "clerkSession");
    EXPECT_EQ(order.at("post").at("x-rollcall-access"), "admin");
    EXPECT_EQ(order.at("parameters").at(0).at("name"), "id");
    const auto& list = paths.at("/orders").as_object();
    EXPECT_TRUE(list.at("get").at("security").as_array().empty());
    EXPECT_FALSE(list.contains("post"));
    EXPECT_TRUE(made.at("components").at("securitySchemes").as_object().contains("clerkSession"));
}

TEST(PolicyDocs, WhatOpenApiCannotSayIsBesideIt) {
    const auto made = boost::json::parse(openapi_json(policy())).as_object();
    std::string ids;
    for (const auto& rule : made.at("x-rollcall-rules").as_array()) {
        ids += std::string(rule.at("id").as_string()) + " ";
    }
    // SEARCH is no operation of OpenAPI, GET of `rest` is decided by `read`.
    EXPECT_EQ(ids, "rest list files ");
}

}  // namespace
}  // namespace rollcall::gate
