#include "gate/path_pattern.hpp"

#include "gate/target.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <string>
#include <vector>

namespace rollcall::gate {
namespace {

using testing::HasSubstr;

PathPattern pattern(std::string_view text) {
    auto parsed = PathPattern::parse(text);
    EXPECT_TRUE(parsed.has_value()) << text << ": " << parsed.error();
    return *std::move(parsed);
}

bool covers(std::string_view text, std::string_view path, Slash slash = Slash::exact) {
    return pattern(text).matches(split_path(path).value(), slash);
}

// Some patterns over a small alphabet, with every kind of element.
rc::Gen<std::string> pattern_texts() {
    const auto element = rc::gen::element<std::string>("a", "b", "a*", "*b", "*a*", "{x}", "**");
    return rc::gen::map(rc::gen::pair(rc::gen::container<std::vector<std::string>>(element),
                                      rc::gen::arbitrary<bool>()),
                        [](const auto& made) {
                            std::string out;
                            std::string last;
                            int number = 0;
                            for (std::string part : made.first) {
                                if (number == 4) break;
                                if (part == "**" && last == "**") continue;
                                last = part;
                                if (part == "{x}") part = "{x" + std::to_string(number) + "}";
                                out += "/" + part;
                                ++number;
                            }
                            return out.empty() || made.second ? out + "/" : out;
                        });
}

rc::Gen<Slash> slashes() {
    return rc::gen::element(Slash::exact, Slash::either);
}

// All canonical paths of at most four segments of these, with and without a final slash.
std::vector<std::string> all_paths() {
    std::vector<std::string> paths{""};
    for (std::size_t from = 0, depth = 0; depth < 4; ++depth) {
        const std::size_t end = paths.size();
        for (; from < end; ++from) {
            for (const char* segment : {"/a", "/b", "/ab", "/aab", "/c"}) {
                paths.push_back(paths[from] + segment);
            }
        }
    }
    std::vector<std::string> out;
    for (const std::string& path : paths) {
        if (!path.empty()) out.push_back(path);
        out.push_back(path + "/");
    }
    return out;
}

// The definition of the contract, segment by segment, in exponential time.
bool defined(std::span<const PathPattern::Element> elements, bool pattern_slash,
             std::span<const std::string_view> segments, bool slash, bool either) {
    if (elements.empty()) return segments.empty() && (either || slash == pattern_slash);
    const auto& first = elements.front();
    if (first.kind == PathPattern::Kind::many) {
        const bool last = elements.size() == 1;
        for (std::size_t taken = 0; taken <= segments.size(); ++taken) {
            if (last && taken < segments.size()) continue;
            if (last && taken == 0) return either || slash;
            if (last) return either || slash || !pattern_slash;
            if (defined(elements.subspan(1), pattern_slash, segments.subspan(taken), slash,
                        either)) {
                return true;
            }
        }
        return false;
    }
    if (segments.empty()) return false;
    const bool takes =
        first.kind == PathPattern::Kind::any ||
        (first.kind == PathPattern::Kind::literal && first.text == segments[0]) ||
        (first.kind == PathPattern::Kind::partial && first.wildcard->matches(segments[0]));
    return takes && defined(elements.subspan(1), pattern_slash, segments.subspan(1), slash, either);
}

TEST(PathPattern, ANameIsOneSegment) {
    EXPECT_TRUE(covers("/orders/{id}", "/orders/1"));
    EXPECT_FALSE(covers("/orders/{id}", "/orders/"));
    EXPECT_FALSE(covers("/orders/{id}", "/orders"));
    EXPECT_FALSE(covers("/orders/{id}", "/orders/1/lines"));
    EXPECT_TRUE(covers("/orders/*/lines", "/orders/1/lines"));
}

TEST(PathPattern, AStarIsPartOfASegment) {
    EXPECT_TRUE(covers("/static/*.css", "/static/main.css"));
    EXPECT_FALSE(covers("/static/*.css", "/static/.css"));
    EXPECT_FALSE(covers("/static/*.css", "/static/a/main.css"));
}

TEST(PathPattern, TwoStarsAreWholeSegments) {
    EXPECT_TRUE(covers("/public/**", "/public/"));
    EXPECT_FALSE(covers("/public/**", "/public"));
    EXPECT_TRUE(covers("/public/**", "/public/a/b/"));
    EXPECT_FALSE(covers("/public/**", "/publicly/a"));
    EXPECT_TRUE(covers("/**", "/"));
    EXPECT_TRUE(covers("/a/**/b", "/a/b"));
    EXPECT_TRUE(covers("/a/**/b", "/a/b/b"));
    EXPECT_FALSE(covers("/a/**/b", "/a/b/c"));
    EXPECT_TRUE(covers("/**/a/**", "/b/a/"));
    EXPECT_FALSE(covers("/**/a/**", "/b/a"));
}

TEST(PathPattern, AFinalSlashCountsWhereItIsExact) {
    EXPECT_FALSE(covers("/a", "/a/"));
    EXPECT_FALSE(covers("/a/", "/a"));
    for (const char* text : {"/a", "/a/"}) {
        EXPECT_TRUE(covers(text, "/a", Slash::either));
        EXPECT_TRUE(covers(text, "/a/", Slash::either));
    }
    EXPECT_TRUE(covers("/a/**", "/a", Slash::either));
    EXPECT_TRUE(covers("/", "/", Slash::either));
    EXPECT_FALSE(covers("/", "/a", Slash::either));
}

TEST(PathPattern, LiteralsAreComparedDecoded) {
    EXPECT_TRUE(covers("/caf\xC3\xA9", "/caf\xC3\xA9"));
    EXPECT_TRUE(covers("/caf%C3%A9", "/caf\xC3\xA9"));
    EXPECT_TRUE(covers("/a%2Ab", "/a*b"));
    EXPECT_FALSE(covers("/a%2Ab", "/axb"));
    EXPECT_FALSE(covers("/A", "/a"));
}

TEST(PathPattern, WhatNoRequestHasIsRefused) {
    for (const char* text :
         {"",       "a",        "//",     "/a//b", "/a/../b", "/.",     "/a?b", "/a#b",
          "/a b",   "/a;b",     "/a%2Fb", "/%",    "/%ff",    "/a\\b",  "/***", "/a**",
          "/**a",   "/**/**",   "/{id",   "/id}",  "/x{id}",  "/{id}x", "/{}",  "/{1}",
          "/{a-b}", "/{x}/{x}", "/{*}",   "/a|*",  "/*;x"}) {
        EXPECT_FALSE(PathPattern::parse(text).has_value()) << text;
    }
    EXPECT_THAT(PathPattern::parse("/a/../b").error(), HasSubstr("dot_segment"));
    EXPECT_FALSE(PathPattern::parse("/" + std::string(pattern_bytes_max, 'a')).has_value());
    std::string deep;
    for (std::size_t i = 0; i < pattern_elements_max; ++i) deep += "/a";
    EXPECT_TRUE(PathPattern::parse(deep).has_value());
    EXPECT_FALSE(PathPattern::parse(deep + "/a").has_value());
}

TEST(PathPattern, TheMostSpecificFromTheLeft) {
    const std::vector<const char*> ordered{"/a/b/c", "/a/b",    "/a/b/**", "/a/b*/{x}", "/a/{x}/c",
                                           "/a/*",   "/a/**/b", "/{x}/b",  "/{x}/**",   "/**/b/c",
                                           "/**/b",  "/**/{x}", "/**"};
    for (std::size_t i = 0; i < ordered.size(); ++i) {
        for (std::size_t j = 0; j < ordered.size(); ++j) {
            const auto order = pattern(ordered[i]).specificity(pattern(ordered[j]));
            EXPECT_EQ(order > 0, i < j) << ordered[i] << " " << ordered[j];
            EXPECT_EQ(order<0, i> j) << ordered[i] << " " << ordered[j];
        }
    }
    EXPECT_EQ(pattern("/a").specificity(pattern("/a/")), std::strong_ordering::equal);
    EXPECT_EQ(pattern("/{x}").specificity(pattern("/*")), std::strong_ordering::equal);
}

TEST(PathPattern, MatchesAsItIsDefined) {
    const auto paths = all_paths();
    EXPECT_TRUE(rc::check([&] {
        const PathPattern made = pattern(*pattern_texts());
        const Slash slash = *slashes();
        for (const std::string& path : paths) {
            const auto parts = split_path(path).value();
            RC_ASSERT(made.matches(parts, slash) == defined(made.elements(), made.ends_in_slash(),
                                                            parts.segments, parts.slash,
                                                            slash == Slash::either));
        }
    }));
}

TEST(PathPattern, WhatTwoHaveInCommonBothCover) {
    const auto paths = all_paths();
    EXPECT_TRUE(rc::check([&] {
        const PathPattern a = pattern(*pattern_texts());
        const PathPattern b = pattern(*pattern_texts());
        const Slash slash_a = *slashes();
        const Slash slash_b = *slashes();
        const auto common = PathPattern::common(a, slash_a, b, slash_b);
        RC_ASSERT(common.has_value() == PathPattern::common(b, slash_b, a, slash_a).has_value());
        if (common) {
            const auto parts = split_path(*common).value();
            RC_ASSERT(a.matches(parts, slash_a));
            RC_ASSERT(b.matches(parts, slash_b));
            RC_ASSERT(canonical_path(encoded_path(*common)).has_value());
            return;
        }
        for (const std::string& path : paths) {
            const auto parts = split_path(path).value();
            RC_ASSERT(!(a.matches(parts, slash_a) && b.matches(parts, slash_b)));
        }
    }));
}

TEST(PathPattern, SpecificityIsAnOrder) {
    EXPECT_TRUE(rc::check([] {
        const PathPattern a = pattern(*pattern_texts());
        const PathPattern b = pattern(*pattern_texts());
        const PathPattern c = pattern(*pattern_texts());
        RC_ASSERT((a.specificity(b) < 0) == (b.specificity(a) > 0));
        if (a.specificity(b) >= 0 && b.specificity(c) >= 0) RC_ASSERT((a.specificity(c) >= 0));
    }));
}

TEST(PathPattern, ManyStarsTakeNoExponentialTime) {
    std::string text;
    for (int i = 0; i < 29; ++i) text += "/**/a";
    std::string path;
    for (std::size_t i = 0; i < target_segments_max - 1; ++i) path += "/a";
    EXPECT_FALSE(covers(text + "/b", path));
    EXPECT_TRUE(covers(text, path));
    EXPECT_TRUE(PathPattern::common(pattern(text), Slash::exact, pattern(text), Slash::exact));
}

}  // namespace
}  // namespace rollcall::gate
