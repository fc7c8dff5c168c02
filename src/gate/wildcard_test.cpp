#include "gate/wildcard.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <string>
#include <vector>

namespace rollcall::gate {
namespace {

Wildcard wildcard(std::string_view pattern) {
    std::vector<std::string> pieces(1);
    for (const char c : pattern) {
        if (c == '*') {
            pieces.emplace_back();
        } else {
            pieces.back() += c;
        }
    }
    return Wildcard(std::move(pieces));
}

// The definition, in exponential time: `*` takes one byte or more.
bool defined(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.front() != '*') {
        return !text.empty() && text.front() == pattern.front() &&
               defined(pattern.substr(1), text.substr(1));
    }
    for (std::size_t taken = 1; taken <= text.size(); ++taken) {
        if (defined(pattern.substr(1), text.substr(taken))) return true;
    }
    return false;
}

// Every text over `letters` of at most `length` letters.
std::vector<std::string> texts(std::string_view letters, std::size_t length) {
    std::vector<std::string> all(1);
    for (std::size_t from = 0; all.back().size() < length;) {
        const std::size_t end = all.size();
        for (; from < end; ++from) {
            for (const char c : letters) all.push_back(all[from] + c);
        }
    }
    return all;
}

rc::Gen<std::string> patterns() {
    return rc::gen::map(
        rc::gen::container<std::string>(rc::gen::element('a', 'b', '.', '*')), [](std::string p) {
            p.resize(std::min<std::size_t>(p.size(), 6));
            for (std::size_t at = p.find("**"); at != std::string::npos; at = p.find("**")) {
                p.erase(at, 1);
            }
            return p.contains('*') ? p : "*" + p;
        });
}

TEST(Wildcard, AStarIsOneByteOrMore) {
    EXPECT_TRUE(wildcard("*.css").matches("main.css"));
    EXPECT_FALSE(wildcard("*.css").matches(".css"));
    EXPECT_FALSE(wildcard("*.css").matches("main.css.map"));
    EXPECT_TRUE(wildcard("v*-beta").matches("v1-beta"));
    EXPECT_FALSE(wildcard("v*-beta").matches("v-beta"));
    EXPECT_TRUE(wildcard("a*a").matches("aaa"));
    EXPECT_FALSE(wildcard("a*a").matches("aa"));
    EXPECT_FALSE(wildcard("*").matches(""));
}

TEST(Wildcard, MatchesAsItIsDefined) {
    EXPECT_TRUE(rc::check([] {
        const std::string pattern = *patterns();
        for (const std::string& text : texts("ab.", 5)) {
            RC_ASSERT(wildcard(pattern).matches(text) == defined(pattern, text));
        }
    }));
}

TEST(Wildcard, ItsExampleMatches) {
    EXPECT_TRUE(rc::check([] {
        const std::string pattern = *patterns();
        RC_ASSERT(defined(pattern, wildcard(pattern).example()));
    }));
}

TEST(Wildcard, WhatTwoHaveInCommonBothMatch) {
    EXPECT_TRUE(rc::check([] {
        const std::string a = *patterns();
        const std::string b = *patterns();
        const auto common = Wildcard::common(wildcard(a), wildcard(b));
        if (common) {
            RC_ASSERT(defined(a, *common));
            RC_ASSERT(defined(b, *common));
            RC_ASSERT(*common != "." && *common != "..");
            return;
        }
        for (const std::string& text : texts("ab.x", 6)) {
            RC_ASSERT(!(defined(a, text) && defined(b, text)));
        }
    }));
}

TEST(Wildcard, TwoDotsAreNoSegment) {
    EXPECT_EQ(Wildcard::common(wildcard(".*"), wildcard("*.")), "...");
    EXPECT_TRUE(wildcard(".*").matches("..."));
    EXPECT_TRUE(wildcard("*.").matches("..."));
}

TEST(Wildcard, ManyStarsTakeNoExponentialTime) {
    std::string pattern;
    for (int i = 0; i < 60; ++i) pattern += "a*";
    EXPECT_FALSE(wildcard(pattern + "b").matches(std::string(8000, 'a')));
}

}  // namespace
}  // namespace rollcall::gate
