#include "gate/forwarded.hpp"

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace rollcall::gate {
namespace {

using Given = std::vector<std::pair<std::string, std::string>>;

std::string judged(const Given& given) {
    http::Fields fields;
    for (const auto& [name, value] : given) fields.add(name, value);
    const auto out = forwarded_target(fields);
    if (out) return out->method + " " + out->host + " " + out->path;
    std::string text(to_string(out.error().fault));
    if (out.error().target) text += ": " + std::string(to_string(*out.error().target));
    return text;
}

// As Traefik sends it, with something added.
std::string traefik(const Given& more) {
    Given given{{"Host", "gate.internal"},
                {"X-Forwarded-Method", "PUT"},
                {"X-Forwarded-Host", "app.example.com"},
                {"X-Forwarded-Uri", "/a?x=1"}};
    given.insert(given.end(), more.begin(), more.end());
    return judged(given);
}

TEST(Forwarded, EachProxysWay) {
    EXPECT_EQ(traefik({}), "PUT app.example.com /a");
    EXPECT_EQ(judged({{"Host", "app.example.com:8443"},
                      {"x-original-uri", "/a"},
                      {"X-Original-Method", "GET"}}),
              "GET app.example.com /a");
    EXPECT_EQ(judged({{"Host", "app.example.com"},
                      {"X-Original-URL", "https://app.example.com/a?x"},
                      {"X-Original-Method", "GET"}}),
              "GET app.example.com /a");
}

TEST(Forwarded, WhatIsMissing) {
    EXPECT_EQ(judged({{"Host", "a"}, {"X-Forwarded-Method", "GET"}}), "missing_target");
    EXPECT_EQ(judged({{"Host", "a"}, {"X-Forwarded-Uri", ""}, {"X-Forwarded-Method", "GET"}}),
              "missing_target");
    EXPECT_EQ(judged({{"Host", "a"}, {"X-Forwarded-Uri", "/"}}), "missing_method");
    EXPECT_EQ(judged({{"X-Forwarded-Uri", "/"}, {"X-Forwarded-Method", "GET"}}), "missing_host");
}

TEST(Forwarded, TwoThatDiffer) {
    EXPECT_EQ(traefik({{"X-Original-URI", "/b"}}), "headers_differ");
    EXPECT_EQ(traefik({{"X-Original-URI", "/a?x=2"}}), "headers_differ");
    EXPECT_EQ(traefik({{"X-Original-URI", ""}}), "headers_differ");
    EXPECT_EQ(traefik({{"X-Original-Method", "GET"}}), "headers_differ");
    EXPECT_EQ(traefik({{"X-Original-URI", "/a?x=1"}, {"X-Original-Method", "PUT"}}),
              "PUT app.example.com /a");
}

TEST(Forwarded, RepeatedOrJoined) {
    EXPECT_EQ(traefik({{"X-Forwarded-Uri", "/a?x=1"}}), "repeated_header");
    EXPECT_EQ(traefik({{"X-Forwarded-Method", "PUT"}}), "repeated_header");
    EXPECT_EQ(traefik({{"X-Forwarded-Host", "app.example.com"}}), "repeated_header");
    const auto uri = [](std::string value) {
        return judged(
            {{"Host", "a"}, {"X-Forwarded-Method", "GET"}, {"X-Forwarded-Uri", std::move(value)}});
    };
    EXPECT_EQ(uri("/public, /admin"), "repeated_header");
    EXPECT_EQ(uri("/public,/admin"), "repeated_header");
    EXPECT_EQ(uri("/public?x=1,/admin"), "repeated_header");
    EXPECT_EQ(uri("/public,https://a/admin"), "repeated_header");
    EXPECT_EQ(uri(",/admin"), "repeated_header");
    EXPECT_EQ(uri("/a?ids=1,2,"), "GET a /a");
    EXPECT_EQ(uri("/a,b"), "GET a /a,b");
    EXPECT_EQ(judged({{"Host", "a"}, {"X-Forwarded-Method", "GET,PUT"}, {"X-Forwarded-Uri", "/"}}),
              "repeated_header");
    EXPECT_EQ(judged({{"X-Forwarded-Host", "a, b"},
                      {"X-Forwarded-Method", "GET"},
                      {"X-Forwarded-Uri", "/"}}),
              "repeated_header");
    EXPECT_EQ(judged({{"Host", "a"},
                      {"host", "b"},
                      {"X-Forwarded-Method", "GET"},
                      {"X-Forwarded-Uri", "/"}}),
              "repeated_header");
}

// CVE-2026-33433, GHSA-5m6w (Traefik): another spelling of a name makes a second field.
TEST(Forwarded, OtherSpellings) {
    EXPECT_EQ(traefik({{"X_Forwarded_Uri", "/a?x=1"}}), "repeated_header");
    EXPECT_EQ(traefik({{"x-original_uri", "/b"}}), "repeated_header");
    EXPECT_EQ(judged({{"Host", "a"}, {"X_Forwarded_Uri", "/"}, {"X-Forwarded-Method", "GET"}}),
              "repeated_header");
    EXPECT_EQ(judged({{"HOST", "a"}, {"x-FORWARDED-uri", "/"}, {"X-forwarded-METHOD", "GET"}}),
              "GET a /");
}

TEST(Forwarded, WhatTheySayIsJudged) {
    const auto uri = [](std::string value) {
        return judged(
            {{"Host", "a"}, {"X-Forwarded-Method", "GET"}, {"X-Forwarded-Uri", std::move(value)}});
    };
    EXPECT_EQ(uri("/a/../b"), "bad_target: dot_segment");
    EXPECT_EQ(uri("http://b/a"), "bad_target: host_differs");
    EXPECT_EQ(uri("a"), "bad_target: bad_form");
    EXPECT_EQ(judged({{"Host", "a b"}, {"X-Forwarded-Method", "GET"}, {"X-Forwarded-Uri", "/"}}),
              "bad_target: bad_host");
    EXPECT_EQ(judged({{"Host", "a"}, {"X-Forwarded-Method", "G T"}, {"X-Forwarded-Uri", "/"}}),
              "bad_target: bad_method");
}

// Method overrides are for applications; the gate judges the method that the proxy saw.
TEST(Forwarded, OverridesAreNotRead) {
    EXPECT_EQ(traefik({{"X-HTTP-Method-Override", "GET"}, {"X-Rewrite-URL", "/b"}}),
              "PUT app.example.com /a");
}

}  // namespace
}  // namespace rollcall::gate
