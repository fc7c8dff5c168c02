#include "gate/route_check.hpp"

#include "gate/policy_file.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <array>
#include <string>
#include <vector>

namespace rollcall::gate {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

Policy policy(const std::string& rules) {
    auto made = parse_policy("version = 1\ndefault = \"deny\"\n" + rules, "p.toml");
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return *std::move(made);
}

std::string rule(std::string_view id, std::string_view path, std::string_view access,
                 std::string_view more = "") {
    return fmt::format("[[rule]]\nid = \"{}\"\npath = \"{}\"\naccess = \"{}\"\n{}\n", id, path,
                       access, more);
}

std::vector<std::string> findings(const Policy& policy, const std::vector<AppFile>& files) {
    std::vector<std::string> out;
    for (const RouteFinding& finding : check_routes(policy, files).findings) {
        out.push_back(fmt::format("{} {}", to_string(finding.fault), finding.where));
    }
    return out;
}

std::string url(std::string_view path) {
    const auto made = url_of(path);
    return made ? made->text : "none";
}

TEST(RouteCheck, FoldersMakeAUrl) {
    EXPECT_EQ(url("route.ts"), "/");
    EXPECT_EQ(url("api/quiz/session/[sessionId]/route.ts"), "/api/quiz/session/{sessionId}");
    EXPECT_EQ(url("(shop)/api/@slot/[user-id]/route.js"), "/api/{user_id}");
    EXPECT_EQ(url("docs/[...all]/page.tsx"), "/docs/**");
    EXPECT_EQ(url("docs/[[...all]]/route.ts"), "/docs/**");
    EXPECT_EQ(url("api/_lib/route.ts"), "none");
    EXPECT_EQ(url("api/%5Flib/route.ts"), "/api/%5Flib");
    EXPECT_EQ(url("feed/(..)photo/route.ts"), "none");
    EXPECT_EQ(url("api/node_modules/x/route.ts"), "none");
    EXPECT_EQ(url("a*b/route.ts"), "/a%2Ab");
    EXPECT_EQ(url("a;b/route.ts"), "none");
}

TEST(RouteCheck, ACatchAllHasSeveralPaths) {
    const auto all = url_of("docs/[id]/[...all]/route.ts");
    ASSERT_TRUE(all.has_value());
    EXPECT_THAT(all->examples,
                ElementsAre("/docs/0-some-0/0-some-0", "/docs/0-some-0/0-some-0/0-some-0"));
    const auto optional = url_of("docs/[id]/[[...all]]/route.ts");
    ASSERT_TRUE(optional.has_value());
    EXPECT_THAT(optional->examples, Contains("/docs/0-some-0"));
    EXPECT_EQ(optional->patterns.size(), 2U);
}

TEST(RouteCheck, FilesThatAreRoutes) {
    EXPECT_EQ(kind_of("a/route.ts"), AppFileKind::route);
    EXPECT_EQ(kind_of("route.jsx"), AppFileKind::route);
    EXPECT_EQ(kind_of("a/page.tsx"), AppFileKind::page);
    for (const char* path :
         {"a/route.test.ts", "a/routes.ts", "a/my-route.ts", "a/route.css", "route"}) {
        EXPECT_EQ(kind_of(path), AppFileKind::other) << path;
    }
}

TEST(RouteCheck, EveryEndpointHasARuleAndEveryRuleAnEndpoint) {
    const std::string line = "// Protected endpoint: Requires valid JWT\n";
    const Policy made = policy(rule("one", "/api/a", "protected", "methods = [\"GET\"]") +
                               rule("gone", "/api/gone", "protected") +
                               rule("wrong", "/api/b", "protected", "methods = [\"PUT\"]"));
    EXPECT_THAT(findings(made, {{"api/a/route.ts", line + "export const GET = 1"}}),
                ElementsAre("rule_without_endpoint gone", "rule_without_endpoint wrong"));
    EXPECT_THAT(findings(made, {{"api/a/route.ts", line + "export const GET = 1, POST = 2"},
                                {"api/b/route.ts", line + "export const PUT = 1"}}),
                ElementsAre("endpoint_without_rule api/a/route.ts", "rule_without_endpoint gone"));
    const Policy pages = policy(rule("home", "/", "public"));
    EXPECT_THAT(findings(pages, {{"page.tsx", ""}}), IsEmpty());
}

TEST(RouteCheck, ARuleForAHostIsARule) {
    const Policy made = policy(rule("one", "/a", "protected", "hosts = [\"a.test\"]"));
    EXPECT_THAT(
        findings(made, {{"a/route.ts",
                         "// Protected endpoint: Requires valid JWT\nexport const GET = 1"}}),
        IsEmpty());
}

TEST(RouteCheck, RulesThatDifferWithinOneEndpoint) {
    const Policy made =
        policy(rule("first", "/d/{x}", "public") + rule("deep", "/d/{x}/**", "admin"));
    EXPECT_THAT(findings(made, {{"d/[...all]/route.ts", "export const GET = 1"}}),
                ElementsAre("rules_differ d/[...all]/route.ts"));
}

TEST(RouteCheck, CommentsSayWhatThePolicySays) {
    const Policy made = policy(rule("a", "/a", "protected", "client = \"user\""));
    const auto report =
        check_routes(made, std::vector<AppFile>{{"a/route.ts", "export const GET = 1"}});
    ASSERT_EQ(report.comments.size(), 1U);
    EXPECT_THAT(report.comments[0].lines,
                ElementsAre("Protected endpoint: Requires valid JWT",
                            "Database client: user (row level security applies)"));
    EXPECT_THAT(findings(made, {{"a/route.ts",
                                 "// Protected endpoint: Requires valid JWT\n"
                                 "// Database client: user (row level security applies)\n"
                                 "export const GET = 1"}}),
                IsEmpty());
    // What says something else is a person's to change.
    const auto other =
        check_routes(made, std::vector<AppFile>{{"a/route.ts",
                                                 "// Public endpoint: No authentication required\n"
                                                 "export const GET = 1"}});
    EXPECT_THAT(other.comments, IsEmpty());
    EXPECT_EQ(to_string(other.findings[0].fault), "other_comment");
}

TEST(RouteCheck, WhatCannotBeTold) {
    const Policy made = policy(rule("a", "/**", "protected"));
    EXPECT_THAT(
        findings(made, {{"a/route.ts", "export * from './b'"},
                        {"b/route.ts", "const GET = 1"},
                        {"_c/route.ts", "export const GET = 1"}}),
        ElementsAre("unknown_methods a/route.ts", "no_method b/route.ts", "no_url _c/route.ts"));
}

// The application of the manual: its route files, each with the access that it must have.
struct Endpoint {
    std::string_view file, url, access;
};
constexpr std::array<Endpoint, 23> quiz_application{{
    {"quiz/session/[sessionId]", "/api/quiz/session/{id}", "protected"},
    {"quiz/session/current", "/api/quiz/session/current", "protected"},
    {"quiz/session/save", "/api/quiz/session/save", "protected"},
    {"quiz/submit", "/api/quiz/submit", "protected"},
    {"quiz/submit-complete", "/api/quiz/submit-complete", "protected"},
    {"quiz/followup/submit", "/api/quiz/followup/submit", "protected"},
    {"quiz/results/[sessionId]", "/api/quiz/results/{id}", "protected"},
    {"quiz/results/save-preferences", "/api/quiz/results/save-preferences", "protected"},
    {"careers/match", "/api/careers/match", "protected"},
    {"careers/matches", "/api/careers/matches", "protected"},
    {"careers/matches/batch", "/api/careers/matches/batch", "protected"},
    {"careers/favorites", "/api/careers/favorites", "protected"},
    {"careers/search", "/api/careers/search", "protected"},
    {"user/progress", "/api/user/progress", "protected"},
    {"user/activity", "/api/user/activity", "protected"},
    {"user/preferences", "/api/user/preferences", "protected"},
    {"user/sessions", "/api/user/sessions", "protected"},
    {"user/data", "/api/user/data", "protected"},
    {"subjects/favorites", "/api/subjects/favorites", "protected"},
    {"subjects/list", "/api/subjects/list", "public"},
    {"pdf/generate", "/api/pdf/generate", "protected"},
    {"webhooks/clerk", "/api/webhooks/clerk", "public"},
    {"cron/clerk-sync", "/api/cron/clerk-sync", "public"},
}};

TEST(RouteCheck, AWholeApplication) {
    std::string rules;
    std::vector<AppFile> files;
    for (const Endpoint& endpoint : quiz_application) {
        const bool service =
            endpoint.file.starts_with("webhooks") || endpoint.file.starts_with("cron");
        rules += rule(fmt::format("r{}", files.size()), endpoint.url, endpoint.access,
                      service ? "client = \"admin\"" : "client = \"user\"");
        files.push_back({fmt::format("api/{}/route.ts", endpoint.file),
                         "export async function GET() {}\nexport async function POST() {}\n"});
    }
    const auto report = check_routes(policy(rules), files);
    EXPECT_EQ(report.endpoints, 46U);
    EXPECT_EQ(report.comments.size(), files.size());
    for (const RouteFinding& finding : report.findings) {
        EXPECT_EQ(finding.fault, RouteFault::missing_comment) << finding.where << finding.message;
    }
    // Without the rule of one, that one is named.
    const auto less = findings(policy(rules.substr(rules.find("[[rule]]", 1))), files);
    EXPECT_THAT(less, Contains("endpoint_without_rule api/quiz/session/[sessionId]/route.ts"));
}

}  // namespace
}  // namespace rollcall::gate
