#include "gate/target.hpp"

#include "base/json.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <string>

namespace rollcall::gate {
namespace {

using enum TargetFault;

std::string path_of(std::string_view target) {
    const auto out = canonical_target("GET", "app.example.com", target);
    return out ? out->path : "refused: " + std::string(to_string(out.error()));
}

std::string decoded_of(std::string_view target) {
    const auto out = canonical_target("GET", "", target);
    return out ? out->decoded : "refused: " + std::string(to_string(out.error()));
}

void expect_refused(std::string_view target, TargetFault fault) {
    const auto out = canonical_target("GET", "app.example.com", target);
    ASSERT_FALSE(out.has_value()) << target;
    EXPECT_EQ(to_string(out.error()), to_string(fault)) << target;
}

TEST(Target, TheQueryIsCutOff) {
    EXPECT_EQ(path_of("/a/b?x=/c"), "/a/b");
    EXPECT_EQ(path_of("/a?"), "/a");
    EXPECT_EQ(path_of("/?x"), "/");
}

TEST(Target, FormsOtherThanAPath) {
    EXPECT_EQ(path_of("http://app.example.com/a?x"), "/a");
    EXPECT_EQ(path_of("HTTPS://APP.example.com:443/a"), "/a");
    EXPECT_EQ(path_of("http://app.example.com"), "/");
    EXPECT_EQ(path_of("http://app.example.com?x"), "/");
    expect_refused("http://other.example.com/a", host_differs);
    expect_refused("ftp://app.example.com/a", bad_form);
    expect_refused("app.example.com:443", bad_form);
    expect_refused("a/b", bad_form);
    expect_refused("", bad_form);
    expect_refused("?x", bad_form);
    expect_refused("*", bad_form);
    EXPECT_EQ(canonical_target("OPTIONS", "", "*")->path, "*");
    EXPECT_EQ(canonical_target("OPTIONS", "", "http://a.example").error(), bad_form);
    EXPECT_EQ(canonical_target("GET", "", "http://a.example/x")->host, "a.example");
}

TEST(Target, RawCharactersThatNoUriHas) {
    for (const char* target :
         {"/a b", "/a\tb", "/a\\b", "/a\"b", "/a<b", "/a|b", "/a^b", "/a`b", "/a{b}", "/a[b]",
          "/caf\xC3\xA9", "/a#b", "/a?x#b", "/a?x y", "/a?x\r\ny", "/a?\xC3\xA9"}) {
        expect_refused(target, bad_character);
    }
    expect_refused(std::string("/a\0b", 4), bad_character);
}

TEST(Target, EscapesAreOfTwoDigits) {
    for (const char* target : {"/%", "/%4", "/%4g", "/%%41", "/a%2", "/%u0041"}) {
        expect_refused(target, bad_escape);
    }
}

TEST(Target, EncodedDelimitersAreRefused) {
    for (const char* target :
         {"/a%2Fb", "/a%2fb", "/a%5Cb", "/a%5cb", "/a%00", "/a%25", "/%252e%252e/a", "/a%3Bb",
          "/a%3bb", "/a%3Fb", "/a%3fb", "/a%23b", "/a%0A", "/a%0d%0ab", "/a%7F", "/a%1f"}) {
        expect_refused(target, encoded_delimiter);
    }
}

TEST(Target, OnlyUnreservedCharactersAreDecoded) {
    EXPECT_EQ(path_of("/%41%7a%2D%2e%5f%7Ex"), "/Az-._~x");
    EXPECT_EQ(path_of("/a%20b%40c%c3%a9"), "/a%20b%40c%C3%A9");
    EXPECT_EQ(path_of("/a@b!c"), "/a@b!c");
}

TEST(Target, WhatServersDecodeIsComparedDecoded) {
    EXPECT_EQ(decoded_of("/a%40b"), "/a@b");
    EXPECT_EQ(decoded_of("/caf%c3%a9"), "/caf\xC3\xA9");
    EXPECT_EQ(decoded_of("/%7Bid%7d"), "/{id}");
}

TEST(Target, EscapesThatAreNoUtf8) {
    for (const char* target : {"/%ff", "/%c3", "/%c0%ae%c0%ae/a", "/%ed%a0%80", "/%f5%80%80%80"}) {
        expect_refused(target, not_utf8);
    }
}

TEST(Target, EmptyAndDotSegments) {
    for (const char* target : {"//", "//a", "/a//b", "/a//", "///"}) {
        expect_refused(target, empty_segment);
    }
    for (const char* target :
         {"/.", "/..", "/a/../b", "/a/./b", "/a/..", "/%2e%2e/a", "/.%2E/a", "/a/%2e"}) {
        expect_refused(target, dot_segment);
    }
    for (const char* target : {"/a;x=1", "/..;/a", "/a/;", "/a;/b"}) {
        expect_refused(target, parameters);
    }
    EXPECT_EQ(path_of("/a/"), "/a/");
    EXPECT_EQ(path_of("/..."), "/...");
    EXPECT_EQ(path_of("/.well-known/x"), "/.well-known/x");
}

TEST(Target, Bounds) {
    EXPECT_EQ(path_of("/" + std::string(target_bytes_max - 1, 'a')).size(), target_bytes_max);
    expect_refused("/" + std::string(target_bytes_max, 'a'), too_long);
    expect_refused("/a?" + std::string(target_bytes_max, 'a'), too_long);
    std::string deep;
    for (std::size_t i = 0; i < target_segments_max; ++i) deep += "/a";
    EXPECT_EQ(path_of(deep), deep);
    expect_refused(deep + "/a", too_many_segments);
}

TEST(Target, Methods) {
    EXPECT_EQ(canonical_target("get", "", "/")->method, "get");
    EXPECT_EQ(canonical_target("M-SEARCH", "", "/")->method, "M-SEARCH");
    for (const char* method : {"", "GET ", "GET,POST", "G\tT", "GET\n", "\xC3\xA9"}) {
        EXPECT_EQ(canonical_target(method, "", "/").error(), bad_method) << method;
    }
}

TEST(Target, Hosts) {
    EXPECT_EQ(canonical_host("App.Example.COM"), "app.example.com");
    EXPECT_EQ(canonical_host("app.example.com:8080"), "app.example.com");
    EXPECT_EQ(canonical_host("app.example.com.:443"), "app.example.com");
    EXPECT_EQ(canonical_host("xn--caf-dma.example"), "xn--caf-dma.example");
    EXPECT_EQ(canonical_host("192.0.2.1:80"), "192.0.2.1");
    EXPECT_EQ(canonical_host("[2001:DB8:0:0::1]:443"), "[2001:db8::1]");
    EXPECT_EQ(canonical_host("[::1]"), "[::1]");
    for (const char* host : {"",
                             ".",
                             "a..b",
                             "a.example..",
                             ".a",
                             "a@b",
                             "user@a.example",
                             "a,b",
                             "a b",
                             "a/b",
                             "a:",
                             "a:x",
                             "a:65536",
                             "a:80:80",
                             "-a.example",
                             "a-.example",
                             "caf\xC3\xA9.example",
                             "a%2eb",
                             "[::1",
                             "[::1]x",
                             "[::1]:",
                             "[fe80::1%25eth0]",
                             "[::g]",
                             "[]",
                             "::1",
                             "a;b",
                             "a\\b"}) {
        EXPECT_EQ(canonical_host(host), std::unexpected(bad_host)) << host;
    }
    EXPECT_EQ(canonical_host(std::string(64, 'a')), std::unexpected(bad_host));
    std::string long_name = "a";
    for (int i = 0; i < 127; ++i) long_name += ".a";
    EXPECT_EQ(canonical_host(long_name), std::unexpected(bad_host));
    EXPECT_EQ(canonical_host(std::string("a\0b", 3)), std::unexpected(bad_host));
}

// A path that was judged is judged the same again, and what servers decode of it has no delimiter.
TEST(Target, TheSpellingIsTheOnlyOne) {
    EXPECT_TRUE(rc::check([] {
        const auto text = *rc::gen::container<std::string>(
            rc::gen::element('/', '.', '%', '2', 'e', 'E', '4', '1', 'f', 'a', ';', '?', '@'));
        const auto first = canonical_target("GET", "", "/" + text);
        if (!first) return;
        const auto again = canonical_target("GET", "", first->path);
        RC_ASSERT(again.has_value());
        RC_ASSERT(again->path == first->path);
        RC_ASSERT(again->decoded == first->decoded);
        const auto decoded = canonical_path(encoded_path(first->decoded));
        RC_ASSERT(decoded.has_value());
        RC_ASSERT(decoded->decoded == first->decoded);
        RC_ASSERT(!first->decoded.contains("//"));
        RC_ASSERT(is_utf8(first->decoded));
        RC_ASSERT(first->decoded.find_first_of("%;?#\\") == std::string::npos);
    }));
}

}  // namespace
}  // namespace rollcall::gate
