#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <thread>
#include <vector>

namespace rollcall::log {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class Log : public testing::Test {
protected:
    ~Log() override { configure(Level::info, Format::automatic); }
};

TEST_F(Log, WritesOneJsonObjectALine) {
    const Capture capture;
    info("migration_applied", {{"step", 3},
                               {"name", "a\"b\nc"},
                               {"share", 0.5},
                               {"done", true},
                               {"size", std::size_t{7}}});
    EXPECT_THAT(std::string(capture.text()),
                MatchesRegex(R"(\{"ts":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z","level":"info",)"
                             R"("event":"migration_applied","step":3,"name":"a\\"b\\nc",)"
                             R"("share":0.5,"done":true,"size":7\})"
                             "\n"));
}

TEST_F(Log, NumbersThatJsonDoesNotHaveAreNull) {
    const Capture capture;
    info("x", {{"value", std::numeric_limits<double>::infinity()}});
    EXPECT_THAT(capture.text(), HasSubstr(R"("value":null})"));
}

TEST_F(Log, TextFormCannotBeForged) {
    configure(Level::info, Format::text);
    const Capture capture;
    warn("upstream_slow", {{"host", "api.clerk.com"}, {"reason", "a b\nfake \x1b[31m"}});
    EXPECT_THAT(capture.text(), EndsWith("warn  upstream_slow host=api.clerk.com "
                                         "reason=\"a b\\nfake \\u001b[31m\"\n"));
}

TEST_F(Log, LevelDecidesAndChangesWhileRunning) {
    const Capture capture;
    debug("hidden");
    EXPECT_FALSE(enabled(Level::debug));
    set_level(Level::debug);
    debug("shown");
    set_level(Level::error);
    warn("hidden_too");
    EXPECT_THAT(capture.text(), HasSubstr("shown"));
    EXPECT_THAT(capture.text(), Not(HasSubstr("hidden")));
}

TEST_F(Log, CountsWhatItWrote) {
    const Capture capture;
    const auto warned = messages_total(Level::warn);
    const auto debugged = messages_total(Level::debug);
    warn("one");
    warn("two");
    debug("not written");
    EXPECT_EQ(messages_total(Level::warn), warned + 2);
    EXPECT_EQ(messages_total(Level::debug), debugged);
}

TEST_F(Log, LevelsHaveNames) {
    for (const Level level : {Level::debug, Level::info, Level::warn, Level::error}) {
        EXPECT_EQ(parse_level(to_string(level)), level);
    }
    EXPECT_EQ(parse_level("INFO"), std::nullopt);
    EXPECT_EQ(parse_level("loud"), std::nullopt);
}

TEST_F(Log, LinesOfSeveralThreadsStayWhole) {
    const Capture capture;
    {
        std::vector<std::jthread> threads;
        threads.reserve(4);
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([] {
                for (int i = 0; i < 100; ++i) info("tick", {{"i", i}});
            });
        }
    }
    std::size_t lines = 0;
    std::string_view rest = capture.text();
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        const auto line = rest.substr(0, end);
        ASSERT_TRUE(line.starts_with("{\"ts\":") && line.ends_with("}")) << line;
        rest.remove_prefix(end + 1);
        ++lines;
    }
    EXPECT_EQ(lines, 400U);
}

}  // namespace
}  // namespace rollcall::log
