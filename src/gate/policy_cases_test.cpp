#include "gate/policy_cases.hpp"

#include "gate/policy_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::gate {
namespace {

using testing::StartsWith;

Policy policy() {
    return *parse_policy(
        "version = 1\ndefault = \"deny\"\n"
        "[[rule]]\nid = \"open\"\npath = \"/open\"\naccess = \"public\"\n"
        "[[rule]]\nid = \"there\"\npath = \"/x\"\nhosts = [\"a.test\"]\naccess = \"admin\"\n",
        "p.toml");
}

TEST(PolicyCases, AQuestionIsTwoWords) {
    EXPECT_EQ(parse_question("GET /a")->target, "/a");
    EXPECT_EQ(parse_question("  GET\t/a ")->method, "GET");
    EXPECT_FALSE(parse_question("GET").has_value());
    EXPECT_FALSE(parse_question("GET /a b").has_value());
    EXPECT_FALSE(parse_question("").has_value());
}

TEST(PolicyCases, AnAnswerIsARuleOrTheDefault) {
    const Policy made = policy();
    EXPECT_EQ(answer(made, {"GET", "/open"}).rule, "open");
    EXPECT_EQ(answer(made, {"GET", "/other"}).rule, "default");
    EXPECT_EQ(answer(made, {"GET", "/x"}).rule, "default");
    EXPECT_EQ(answer(made, {"GET", "https://A.test/x"}).rule, "there");
    const Answer odd = answer(made, {"GET", "/open/../x"});
    EXPECT_EQ(odd.rule, "bad_target");
    EXPECT_EQ(odd.access, Access::deny);
    EXPECT_EQ(odd.fault, TargetFault::dot_segment);
}

TEST(PolicyCases, LinesAreCases) {
    const auto cases =
        parse_cases("# all\n\nGET /a public\r\n  PUT /b admin rule-b # why\nX /c deny");
    ASSERT_TRUE(cases.has_value()) << cases.error();
    ASSERT_EQ(cases->size(), 3U);
    EXPECT_EQ(cases->at(0).line, 3U);
    EXPECT_EQ(cases->at(0).access, Access::public_);
    EXPECT_EQ(cases->at(0).rule, "");
    EXPECT_EQ(cases->at(1).question.method, "PUT");
    EXPECT_EQ(cases->at(1).question.target, "/b");
    EXPECT_EQ(cases->at(1).rule, "rule-b");
    EXPECT_EQ(cases->at(2).access, Access::deny);
}

TEST(PolicyCases, OtherLinesAreRefused) {
    EXPECT_THAT(parse_cases("GET /a public\nGET /a\n").error(), StartsWith("2: "));
    EXPECT_THAT(parse_cases("GET /a open\n").error(), StartsWith("1: \"open\""));
    EXPECT_THAT(parse_cases("GET /a public r more\n").error(), StartsWith("1: "));
}

}  // namespace
}  // namespace rollcall::gate
