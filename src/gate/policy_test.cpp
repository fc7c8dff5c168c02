#include "gate/policy.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <algorithm>
#include <string>
#include <vector>

namespace rollcall::gate {
namespace {

Rule rule(std::string id, std::string_view path, Access access = Access::protected_,
          std::vector<std::string> methods = {}, std::vector<std::string> hosts = {}) {
    return Rule{std::move(id), std::move(hosts), std::move(methods), *PathPattern::parse(path),
                access};
}

Policy policy(std::vector<Rule> rules, Access fallback = Access::deny) {
    auto made = Policy::make(fallback, std::move(rules));
    EXPECT_TRUE(made.has_value()) << made.error().first << " and " << made.error().second;
    return *std::move(made);
}

std::string decides(const Policy& policy, std::string_view method, std::string_view target,
                    std::string_view host = "") {
    const auto canonical = canonical_target(method, host, target);
    return canonical ? std::string(policy.decide(*canonical).id())
                     : "refused: " + std::string(to_string(canonical.error()));
}

bool overlaps(Rule a, Rule b) {
    const auto made = Policy::make(Access::deny, {std::move(a), std::move(b)});
    return !made.has_value();
}

TEST(Policy, WhatNoRuleCoversIsTheDefault) {
    const Policy empty = policy({}, Access::protected_);
    EXPECT_EQ(decides(empty, "GET", "/a"), "default");
    EXPECT_EQ(empty.decide(*canonical_target("GET", "", "/a")).access, Access::protected_);
    const Policy one = policy({rule("a", "/a", Access::public_)});
    EXPECT_EQ(one.decide(*canonical_target("GET", "", "/b")).access, Access::deny);
    EXPECT_EQ(one.decide(*canonical_target("OPTIONS", "", "*")).access, Access::deny);
}

TEST(Policy, PublicRulesCoverOnlyWhatTheyName) {
    const Policy made = policy({rule("open", "/open", Access::public_), rule("shut", "/shut"),
                                rule("admin", "/admin/**", Access::admin)});
    EXPECT_EQ(decides(made, "GET", "/open"), "open");
    EXPECT_EQ(decides(made, "GET", "/open/"), "default");
    EXPECT_EQ(decides(made, "GET", "/shut/"), "shut");
    EXPECT_EQ(decides(made, "GET", "/admin"), "admin");
    EXPECT_EQ(decides(made, "GET", "/admin/a/b/"), "admin");
}

TEST(Policy, MethodsAreExact) {
    const Policy made = policy({rule("read", "/a", Access::public_, {"GET"}), rule("any", "/a")});
    EXPECT_EQ(decides(made, "GET", "/a"), "read");
    EXPECT_EQ(decides(made, "HEAD", "/a"), "any");
    EXPECT_EQ(decides(made, "get", "/a"), "any");
    EXPECT_EQ(decides(made, "BREW", "/a"), "any");
}

TEST(Policy, HostsCountBeforeMethods) {
    const Policy made = policy({rule("host", "/a", Access::public_, {}, {"a.example"}),
                                rule("method", "/a", Access::public_, {"GET"}),
                                rule("deep", "/a/b", Access::public_),
                                rule("hosted", "/a/**", Access::admin, {}, {"a.example"})});
    EXPECT_EQ(decides(made, "GET", "/a", "A.Example:8080"), "host");
    EXPECT_EQ(decides(made, "GET", "/a", "b.example"), "method");
    EXPECT_EQ(decides(made, "POST", "/a", "b.example"), "default");
    EXPECT_EQ(decides(made, "GET", "/a"), "method");
    EXPECT_EQ(decides(made, "GET", "/a/b", "a.example"), "deep");
}

TEST(Policy, EquallySpecificRulesMustNotOverlap) {
    EXPECT_TRUE(overlaps(rule("a", "/o/{id}"), rule("b", "/o/{name}")));
    EXPECT_TRUE(overlaps(rule("a", "/o/{id}"), rule("b", "/o/*")));
    EXPECT_TRUE(overlaps(rule("a", "/a*"), rule("b", "/*b")));
    EXPECT_TRUE(overlaps(rule("a", "/a"), rule("b", "/a/", Access::public_)));
    EXPECT_TRUE(overlaps(rule("a", "/caf%C3%A9"), rule("b", "/caf\xC3\xA9")));
    EXPECT_TRUE(overlaps(rule("a", "/a", Access::public_, {"GET", "PUT"}),
                         rule("b", "/a", Access::public_, {"PUT", "POST"})));
    EXPECT_TRUE(overlaps(rule("a", "/**/a"), rule("b", "/**/{x}/a")) == false);
    EXPECT_FALSE(overlaps(rule("a", "/a", Access::public_), rule("b", "/a/", Access::public_)));
    EXPECT_FALSE(overlaps(rule("a", "/a*"), rule("b", "/b*")));
    EXPECT_FALSE(overlaps(rule("a", "/a", Access::public_, {"GET"}),
                          rule("b", "/a", Access::public_, {"POST"})));
    EXPECT_FALSE(overlaps(rule("a", "/a", Access::public_, {}, {"a.example"}),
                          rule("b", "/a", Access::public_, {}, {"b.example"})));
    EXPECT_FALSE(overlaps(rule("a", "/a", Access::public_, {}, {"a.example"}), rule("b", "/a")));
}

TEST(Policy, AnOverlapNamesARequest) {
    const auto made = Policy::make(
        Access::deny, {rule("a", "/x/{id}", Access::admin, {"PUT"}), rule("other", "/y"),
                       rule("b", "/x/{name}", Access::public_, {"GET", "PUT"})});
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().first, 0U);
    EXPECT_EQ(made.error().second, 2U);
    EXPECT_EQ(made.error().method, "PUT");
    EXPECT_EQ(made.error().path, "/x/x");
}

TEST(Policy, MayBeMovedAndReplaced) {
    Policy first = policy({rule("a", "/a")});
    Policy second = policy({rule("b", "/b")});
    first = std::move(second);
    const Policy third = std::move(first);
    EXPECT_EQ(decides(third, "GET", "/b"), "b");
}

// The records that docs/gate.md answers: a request judged by another path than the one served.
TEST(Policy, KnownBypasses) {
    const Policy made = policy(
        {rule("open", "/public/**", Access::public_, {}, {"app.example"}),
         rule("status", "/status", Access::public_), rule("admin", "/admin/**", Access::admin),
         rule("at", "/@root", Access::admin), rule("rest", "/**", Access::protected_)});
    // CVE-2026-33494 (Oathkeeper), CVE-2026-42274 (heimdall): dot segments.
    EXPECT_EQ(decides(made, "GET", "/public/../admin/x", "app.example"), "refused: dot_segment");
    EXPECT_EQ(decides(made, "GET", "/public/%2e%2E/admin", "app.example"), "refused: dot_segment");
    EXPECT_EQ(decides(made, "GET", "/public/..;/admin", "app.example"), "refused: parameters");
    // GHSA-7rh7-c77v-6434, GHSA-pxq7 (oauth2-proxy): the query, the fragment.
    EXPECT_EQ(decides(made, "GET", "/private?path=/status"), "rest");
    EXPECT_EQ(decides(made, "GET", "/private#/status"), "refused: bad_character");
    EXPECT_EQ(decides(made, "GET", "/private%23/status"), "refused: encoded_delimiter");
    // heimdall's siblings: the host's case (GHSA-72h4), %2f and %2F.
    EXPECT_EQ(decides(made, "GET", "/public/a", "APP.example."), "open");
    EXPECT_EQ(decides(made, "GET", "/public%2f..%2Fadmin"), "refused: encoded_delimiter");
    // CVE-2026-41248 (Clerk's createRouteMatcher): extra slashes, escapes, bad escapes.
    EXPECT_EQ(decides(made, "GET", "//admin/x"), "refused: empty_segment");
    EXPECT_EQ(decides(made, "GET", "/%61dmin/x"), "admin");
    EXPECT_EQ(decides(made, "GET", "/%2561dmin/x"), "refused: encoded_delimiter");
    EXPECT_EQ(decides(made, "GET", "/%zzadmin"), "refused: bad_escape");
    EXPECT_EQ(decides(made, "GET", "/%40root"), "at");
    // CVE-2026-95811 (LemonLDAP::NG): the raw URI, another form of it.
    EXPECT_EQ(decides(made, "GET", "http://app.example/admin/x", "app.example"), "admin");
    EXPECT_EQ(decides(made, "GET", "http://evil.example/status", "app.example"),
              "refused: host_differs");
    // Encodings of a dot or a slash that are no UTF-8.
    EXPECT_EQ(decides(made, "GET", "/public/%c0%ae%c0%ae/admin"), "refused: not_utf8");
}

// GHSA-x76f-jf84-rqj8 (Caddy): a fast path for long lists must mean the same.
TEST(Policy, ManyRulesMeanTheSameAsFew) {
    std::vector<Rule> rules;
    rules.reserve(10'000);
    for (int i = 0; i < 10'000; ++i) {
        rules.push_back(rule("r" + std::to_string(i), "/api/v" + std::to_string(i) + "/{id}"));
    }
    const Policy made = policy(std::move(rules));
    EXPECT_EQ(decides(made, "GET", "/api/v0/x"), "r0");
    EXPECT_EQ(decides(made, "GET", "/api/v9999/x/"), "r9999");
    EXPECT_EQ(decides(made, "GET", "/api/v10000/x"), "default");
    EXPECT_EQ(decides(made, "GET", "/API/v1/x"), "default");
}

rc::Gen<std::vector<Rule>> rule_lists() {
    using Strings = std::vector<std::string>;
    const auto path = rc::gen::element<std::string>("/a", "/a/", "/a/b", "/a/{x}", "/a/b*", "/a/*b",
                                                    "/a/**", "/{x}", "/{x}/b", "/**", "/**/b",
                                                    "/a*/b", "/a/**/b", "/", "/*a/**", "/**/a/**");
    const auto access = rc::gen::element(Access::public_, Access::protected_, Access::admin);
    const auto methods = rc::gen::element<Strings>(Strings{}, Strings{"GET"}, Strings{"GET", "PUT"},
                                                   Strings{"POST"});
    const auto hosts =
        rc::gen::element<Strings>(Strings{}, Strings{"a.test"}, Strings{"a.test", "b.test"});
    const auto one =
        rc::gen::map(rc::gen::tuple(path, access, methods, hosts), [](const auto& made) {
            const auto& [p, a, m, h] = made;
            return rule("", p, a, m, h);
        });
    return rc::gen::map(rc::gen::container<std::vector<Rule>>(one), [](std::vector<Rule> rules) {
        for (std::size_t i = 0; i < rules.size(); ++i) rules[i].id = "r" + std::to_string(i);
        return rules;
    });
}

std::vector<Target> some_targets() {
    std::vector<Target> out;
    for (const char* host : {"", "a.test", "b.test"}) {
        for (const char* method : {"GET", "PUT", "POST", "HEAD"}) {
            for (const char* path :
                 {"/", "/a", "/a/", "/b", "/a/b", "/a/b/", "/ab/b", "/a/bb", "/b/a/", "/a/c",
                  "/a/c/b", "/a/b/c", "/ba/b", "/c/b", "/ca/", "/b/a/b"}) {
                out.push_back(*canonical_target(method, host, path));
            }
        }
    }
    return out;
}

bool listed(const std::vector<std::string>& list, std::string_view value) {
    return list.empty() || std::ranges::find(list, value) != list.end();
}

// Whether `a` goes before `b` where both cover a request.
bool goes_before(const Rule& a, const Rule& b) {
    if (const auto order = a.path.specificity(b.path); order != 0) return order > 0;
    if (a.hosts.empty() != b.hosts.empty()) return b.hosts.empty();
    return !a.methods.empty() && b.methods.empty();
}

// The contract, by looking at every rule.
std::vector<const Rule*> best_of(const std::vector<Rule>& rules, const Target& target) {
    std::vector<const Rule*> covering;
    for (const Rule& candidate : rules) {
        if (listed(candidate.hosts, target.host) && listed(candidate.methods, target.method) &&
            candidate.path.matches(split_path(target.decoded).value(), candidate.slash())) {
            covering.push_back(&candidate);
        }
    }
    std::vector<const Rule*> best;
    for (const Rule* candidate : covering) {
        if (std::ranges::none_of(
                covering, [&](const Rule* other) { return goes_before(*other, *candidate); })) {
            best.push_back(candidate);
        }
    }
    return best;
}

TEST(Policy, TheMostSpecificRuleDecidesWhateverTheOrder) {
    const auto targets = some_targets();
    EXPECT_TRUE(rc::check([&] {
        std::vector<Rule> rules = *rule_lists();
        const auto made = Policy::make(Access::deny, rules);
        auto turned = rules;
        std::ranges::reverse(turned);
        const auto reversed = Policy::make(Access::deny, turned);
        RC_ASSERT(made.has_value() == reversed.has_value());
        if (!made) {
            const Rule& a = rules[made.error().first];
            const Rule& b = rules[made.error().second];
            RC_ASSERT(!goes_before(a, b) && !goes_before(b, a));
            const auto method = made.error().method.empty() ? "GET" : made.error().method;
            const auto witness = canonical_target(method, made.error().host, made.error().path);
            RC_ASSERT(witness.has_value());
            for (const Rule* of : {&a, &b}) {
                RC_ASSERT(listed(of->hosts, witness->host) && listed(of->methods, witness->method));
                RC_ASSERT(of->path.matches(split_path(witness->decoded).value(), of->slash()));
            }
            return;
        }
        for (const Target& target : targets) {
            const auto best = best_of(rules, target);
            RC_ASSERT(best.size() <= 1U);
            const std::string wanted = best.empty() ? "default" : best.front()->id;
            RC_ASSERT(made->decide(target).id() == wanted);
            RC_ASSERT(reversed->decide(target).id() == wanted);
        }
    }));
}

}  // namespace
}  // namespace rollcall::gate
