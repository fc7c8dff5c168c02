#include "gate/route_source.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace rollcall::gate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Methods = std::vector<MethodAccess>;

std::string exports(std::string_view source) {
    const RouteExports found = exported_methods(source);
    return fmt::format("{}{}", fmt::join(found.methods, " "), found.others ? " *" : "");
}

TEST(RouteSource, EachWayToExport) {
    EXPECT_EQ(exports("export async function GET(req: Request) { return x }"), "GET");
    EXPECT_EQ(exports("export function POST() {}\nexport function* PUT() {}"), "POST PUT");
    EXPECT_EQ(exports("export const GET = handler;\nexport let PATCH: H<A, POST> = x"),
              "GET PATCH");
    EXPECT_EQ(exports("export const GET = a(1, 2), POST = b\nexport var DELETE = c"),
              "GET POST DELETE");
    EXPECT_EQ(exports("const h = 1\nexport { h as GET, h as \"POST\", PUT };"), "GET POST PUT");
    EXPECT_EQ(exports("export { GET, POST } from './handlers'"), "GET POST");
    EXPECT_EQ(exports("export { default as GET } from './h'"), "GET");
    EXPECT_EQ(exports("export const { GET, x: POST, y = PUT, z: { PATCH } } = handlers"),
              "GET POST");
    EXPECT_EQ(exports("export * from './handlers'"), " *");
    EXPECT_EQ(exports("#!/usr/bin/env node\nexport const HEAD = x"), "HEAD");
    EXPECT_EQ(exports("\xEF\xBB\xBF'use server'\r\nexport const OPTIONS = x\r\n"), "OPTIONS");
    EXPECT_EQ(exports("export const GET =\n  async () => {}\nexport const POST = GET"), "GET POST");
    EXPECT_EQ(exports("export const GET = a,\n  POST = b ||\n  function () {},\n  PUT = c"),
              "GET POST PUT");
}

TEST(RouteSource, WhatOnlyLooksLikeAnExport) {
    for (const char* source :
         {"// export const GET = 1",
          "/* export function GET() {}\n*/",
          "const s = 'export const GET'",
          "const s = `\nexport const GET = ${ `export` }\nexport function GET() {}`",
          "export type GET = string",
          "export type { GET } from './t'",
          "export { type GET } from 'x'",
          "export interface GET {}",
          "export default function GET() {}",
          "export { GET as get }",
          "function GET() {}",
          "const x = { \nexport: GET }",
          "export const get = a\nconst b = 1, GET = 2",
          "export const get = f()\nimport x, { GET = 1 } from 'y'",
          "export * as GET from './x'",
          "const r = /[/`]export const GET = 1/\n",
          "export const get = 1",
          "export const dynamic = 'GET'",
          "if (a) {\nexport\nconst GET = 1 }",
          "exports.GET = 1"}) {
        EXPECT_EQ(exports(source), "") << source;
    }
}

TEST(RouteSource, WhatStandsBeforeDoesNotHideIt) {
    for (const char* source :
         {"const a = b / c; // '\nexport const GET = 1", "const r = /'/\nexport const GET = 1",
          "const t = `${ `}` }`\nexport const GET = 1", "const s = 'it\\'s'\nexport const GET = 1",
          "const x = <p>don't</p>\nexport const GET = 1",
          "const a = (b) / 2 /* ' */\nexport const GET=1",
          "function f() { return /}/ }\nexport const GET = 1",
          "if (x) /[\"'`]/.test(y)\nexport const GET = 1",
          "while (f(a)) /`/.exec(y)\nexport const GET = 1",
          "const a = f(b) / 2 // '\nexport const GET = 1",
          "import x from 'y'\nexport const GET = 1", "a();export const GET = 1"}) {
        EXPECT_EQ(exports(source), "GET") << source;
    }
}

TEST(RouteSource, AnyBytesAreReadToTheirEnd) {
    EXPECT_TRUE(rc::check([] {
        const auto source = *rc::gen::container<std::string>(
            rc::gen::element('`', '$', '{', '}', '/', '*', '\'', '"', '\\', '\n', 'a', ' ', '['));
        RC_ASSERT(exported_methods(source + "\nexport const GET = 1").methods.size() <= 1U);
    }));
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += "`${";
    EXPECT_EQ(exports(deep), "");
}

TEST(RouteSource, NoticesSayWhatThePolicySays) {
    EXPECT_THAT(notices(Methods{{"GET", Access::protected_, Client::user},
                                {"POST", Access::protected_, Client::user}}),
                ElementsAre("Protected endpoint: Requires valid JWT",
                            "Database client: user (row level security applies)"));
    EXPECT_THAT(notices(Methods{{"GET", Access::public_}}),
                ElementsAre("Public endpoint: No authentication required"));
    EXPECT_THAT(notices(Methods{{"GET", Access::public_}, {"POST", Access::admin, Client::admin}}),
                ElementsAre("Public endpoint: No authentication required [GET]",
                            "Admin endpoint: Requires valid JWT of an admin [POST]",
                            "Database client: admin (service role, bypasses row level security) "
                            "[POST]"));
    EXPECT_THAT(notices(Methods{{"POST", Access::public_, Client::admin}}).front(),
                "Service endpoint: Verified by its own signature or key, not by a JWT");
}

TEST(RouteSource, NoticesAreLookedForAtTheTop) {
    const Methods methods{{"GET", Access::protected_}};
    const std::string wanted = "Protected endpoint: Requires valid JWT";
    for (const char* source :
         {"// Protected endpoint: Requires valid JWT\nimport x from 'y'",
          "\xEF\xBB\xBF//Protected endpoint: Requires valid JWT \r\n",
          "'use server';\n/**\n * Protected endpoint: Requires valid JWT\n */\nx",
          "// Copyright\n\n// Protected endpoint: Requires valid JWT"}) {
        EXPECT_THAT(check_notices(source, methods).missing, IsEmpty()) << source;
    }
    for (const char* source : {"", "x\n// Protected endpoint: Requires valid JWT",
                               "// protected endpoint: Requires valid JWT", "/* Protected",
                               "// Protected endpoint: Requires valid JWT, or not"}) {
        EXPECT_THAT(check_notices(source, methods).missing, ElementsAre(wanted)) << source;
    }
    EXPECT_THAT(
        check_notices("// Public endpoint: No authentication required\n", methods).contradicting,
        ElementsAre("Public endpoint: No authentication required"));
    EXPECT_THAT(check_notices("// Some words\n", methods).contradicting, IsEmpty());
}

TEST(RouteSource, ThePlainSentenceIsAsGood) {
    const Methods admin{{"GET", Access::protected_, Client::user},
                        {"POST", Access::admin, Client::admin}};
    const NoticeCheck plain = check_notices("// Protected endpoint: Requires valid JWT\n", admin);
    EXPECT_THAT(plain.contradicting, IsEmpty());
    EXPECT_THAT(
        plain.missing,
        ElementsAre("Database client: user (row level security applies) [GET]",
                    "Database client: admin (service role, bypasses row level security) [POST]"));
    EXPECT_THAT(check_notices("// Admin endpoint: Requires valid JWT of an admin [POST]", admin)
                    .missing.front(),
                "Protected endpoint: Requires valid JWT [GET]");
    const Methods hook{{"POST", Access::public_, Client::admin}};
    const std::string_view open = "// Public endpoint: No authentication required\n";
    EXPECT_THAT(check_notices(open, hook).contradicting, IsEmpty());
    EXPECT_THAT(check_notices(open, hook).missing,
                ElementsAre("Database client: admin (service role, bypasses row level security)"));
    // What is not so stays wrong.
    EXPECT_THAT(check_notices(open, admin).contradicting,
                ElementsAre("Public endpoint: No authentication required"));
    EXPECT_THAT(check_notices("// Protected endpoint: Requires valid JWT\n", hook).contradicting,
                ElementsAre("Protected endpoint: Requires valid JWT"));
    EXPECT_THAT(check_notices("// Service endpoint: Verified by its own signature or key, not by "
                              "a JWT\n// Database client: user (row level security applies)",
                              hook)
                    .contradicting,
                ElementsAre("Database client: user (row level security applies)"));
}

TEST(RouteSource, NoticesAreAddedAndNothingElseChanges) {
    const std::vector<std::string> lines{"A", "B"};
    const Methods methods{{"GET", Access::protected_, Client::user}};
    EXPECT_EQ(with_notices("x\n", lines), "// A\n// B\nx\n");
    EXPECT_EQ(with_notices("'use server'\r\nx\n", lines), "// A\r\n// B\r\n'use server'\r\nx\n");
    EXPECT_EQ(with_notices("\xEF\xBB\xBFx", lines), "\xEF\xBB\xBF// A\n// B\nx");
    EXPECT_EQ(with_notices("", lines), "// A\n// B\n");
    EXPECT_TRUE(rc::check([&] {
        const auto source = *rc::gen::arbitrary<std::string>();
        const std::string out = with_notices(source, notices(methods));
        RC_ASSERT(check_notices(out, methods).missing.empty());
        RC_ASSERT(out.ends_with(source));
    }));
}

}  // namespace
}  // namespace rollcall::gate
