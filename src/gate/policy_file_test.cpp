#include "gate/policy_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace rollcall::gate {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view sound = R"(version = 1
default = "protected"
[[rule]]
id = "orders-read"
hosts = ["App.Example.com"]
methods = ["GET"]
path = "/orders/{id}"
access = "protected"
summary = "Reads one order"
client = "user"
max_staleness = "10m"
)";

// A rule of one line more, which begins in line 3.
std::string with(std::string_view line, std::string_view rest = "access = \"public\"") {
    return "version = 1\ndefault = \"deny\"\n[[rule]]\nid = \"a\"\npath = \"/a\"\n" +
           std::string(rest) + "\n" + std::string(line) + "\n";
}

void expect_refused(std::string_view text, PolicyFault fault, const auto& message) {
    const auto policy = parse_policy(text, "p.toml");
    ASSERT_FALSE(policy.has_value()) << text;
    EXPECT_EQ(to_string(policy.error().fault), to_string(fault)) << policy.error().message;
    EXPECT_THAT(policy.error().message, message);
}

TEST(PolicyFile, ReadsEveryKey) {
    const auto policy = parse_policy(sound, "p.toml");
    ASSERT_TRUE(policy.has_value()) << policy.error().message;
    EXPECT_EQ(policy->fallback(), Access::protected_);
    ASSERT_EQ(policy->rules().size(), 1U);
    const Rule& rule = policy->rules()[0];
    EXPECT_EQ(rule.id, "orders-read");
    EXPECT_THAT(rule.hosts, ElementsAre("app.example.com"));
    EXPECT_THAT(rule.methods, ElementsAre("GET"));
    EXPECT_EQ(rule.path.text(), "/orders/{id}");
    EXPECT_EQ(rule.access, Access::protected_);
    EXPECT_EQ(rule.summary, "Reads one order");
    EXPECT_EQ(rule.client, Client::user);
    EXPECT_EQ(rule.max_staleness, std::chrono::minutes(10));
    EXPECT_EQ(rule.line, 3U);
}

TEST(PolicyFile, WithoutARuleTheDefaultHolds) {
    const auto policy = parse_policy("version = 1\n", "p.toml");
    ASSERT_TRUE(policy.has_value());
    EXPECT_EQ(policy->fallback(), Access::protected_);
}

TEST(PolicyFile, TheDefaultIsNeverPublic) {
    expect_refused("version = 1\ndefault = \"public\"\n", PolicyFault::public_default,
                   AllOf(StartsWith("p.toml:2: default: "), HasSubstr("\"public\"")));
    expect_refused("version = 1\ndefault = \"admin\"\n", PolicyFault::bad_value,
                   HasSubstr("\"admin\""));
    expect_refused("version = 1\ndefault = 1\n", PolicyFault::wrong_type, HasSubstr("default"));
}

TEST(PolicyFile, TheVersionIsOne) {
    expect_refused("default = \"deny\"\n", PolicyFault::missing_key, HasSubstr("version"));
    expect_refused("version = 2\n", PolicyFault::bad_value, HasSubstr("2"));
    expect_refused("version = \"1\"\n", PolicyFault::wrong_type, HasSubstr("version"));
    expect_refused("version = 1.0\n", PolicyFault::wrong_type, HasSubstr("version"));
}

TEST(PolicyFile, KeysThatThereAreNot) {
    expect_refused("version = 1\ndefualt = \"deny\"\n", PolicyFault::unknown_key,
                   AllOf(StartsWith("p.toml:2: "), HasSubstr("is it default?")));
    expect_refused(with("acess = \"admin\""), PolicyFault::unknown_key,
                   AllOf(StartsWith("p.toml:7: rule \"a\": "), HasSubstr("is it access?")));
    expect_refused(with("lower_case = true"), PolicyFault::unknown_key, HasSubstr("lower_case"));
    expect_refused("version = 1\n[rules]\n", PolicyFault::unknown_key, HasSubstr("is it rule?"));
}

TEST(PolicyFile, KeysThatMustBeThere) {
    expect_refused("version = 1\n[[rule]]\npath = \"/a\"\naccess = \"admin\"\n",
                   PolicyFault::missing_key, AllOf(StartsWith("p.toml:2: "), HasSubstr("id")));
    expect_refused("version = 1\n[[rule]]\nid = \"a\"\naccess = \"admin\"\n",
                   PolicyFault::missing_key, HasSubstr("rule \"a\": path"));
    expect_refused(with("", ""), PolicyFault::missing_key, HasSubstr("rule \"a\": access"));
}

TEST(PolicyFile, Types) {
    for (const char* line : {"methods = \"GET\"", "methods = [1]", "hosts = {}", "summary = 1",
                             "client = true", "max_staleness = 10"}) {
        expect_refused(with(line), PolicyFault::wrong_type, StartsWith("p.toml:7: rule \"a\": "));
    }
    expect_refused("version = 1\nrule = 1\n", PolicyFault::wrong_type, HasSubstr("[[rule]]"));
    expect_refused("version = 1\nrule = [1]\n", PolicyFault::wrong_type, HasSubstr("[[rule]]"));
    expect_refused("version = 1\n[[rule]]\nid = 1\n", PolicyFault::wrong_type, HasSubstr("id"));
}

TEST(PolicyFile, Values) {
    expect_refused(with("", "access = \"deny\""), PolicyFault::bad_value, HasSubstr("\"deny\""));
    expect_refused(with("", "access = \"Public\""), PolicyFault::bad_value,
                   HasSubstr("\"Public\""));
    expect_refused(with("client = \"service\""), PolicyFault::bad_value, HasSubstr("\"service\""));
    expect_refused(with("max_staleness = \"10\""), PolicyFault::bad_value, HasSubstr("\"10\""));
    expect_refused(with("summary = \"a\\nb\""), PolicyFault::bad_value, HasSubstr("summary"));
    for (const char* line : {"methods = [\"get\"]", "methods = [\"GET POST\"]", "methods = [\"\"]",
                             "methods = []", "methods = [\"GET\", \"GET\"]"}) {
        expect_refused(with(line), PolicyFault::bad_value,
                       HasSubstr("p.toml:7: rule \"a\": methods"));
    }
    for (const char* line : {"hosts = [\"a.test:80\"]", "hosts = [\"*.a.test\"]", "hosts = [\"\"]",
                             "hosts = []", "hosts = [\"a.test\", \"A.test.\"]",
                             "hosts = [\"http://a.test\"]", "hosts = [\"[::1]:1\"]"}) {
        expect_refused(with(line), PolicyFault::bad_value,
                       HasSubstr("p.toml:7: rule \"a\": hosts"));
    }
    EXPECT_TRUE(parse_policy(with("hosts = [\"[::1]\", \"192.0.2.1\"]"), "p.toml").has_value());
}

TEST(PolicyFile, Paths) {
    for (const char* path : {"a", "/a//b", "/a/../b", "/{x}y", "/a**", "/a?b", "/a b"}) {
        const std::string text =
            "version = 1\n[[rule]]\nid = \"a\"\naccess = \"admin\"\npath = \"" + std::string(path) +
            "\"\n";
        expect_refused(text, PolicyFault::bad_value,
                       AllOf(StartsWith("p.toml:5: rule \"a\": path: "), HasSubstr(path)));
    }
}

TEST(PolicyFile, IdsAreUniqueNames) {
    const std::string twice =
        with("") + "[[rule]]\nid = \"a\"\npath = \"/b\"\naccess = \"admin\"\n";
    expect_refused(twice, PolicyFault::duplicate_id,
                   AllOf(StartsWith("p.toml:9: rule \"a\": id"), HasSubstr("line 3")));
    for (const char* id : {"", "a b", "a\\nb", "default", "\\u00e9"}) {
        expect_refused("version = 1\n[[rule]]\nid = \"" + std::string(id) +
                           "\"\npath = \"/a\"\naccess = \"admin\"\n",
                       PolicyFault::bad_value, HasSubstr("id"));
    }
}

TEST(PolicyFile, AnOverlapNamesBothRules) {
    const std::string text =
        with("") + "[[rule]]\nid = \"b\"\npath = \"/a\"\naccess = \"public\"\n";
    expect_refused(text, PolicyFault::overlap,
                   AllOf(StartsWith("p.toml:8: rule \"b\": "), HasSubstr("rule \"a\" (line 3"),
                         HasSubstr("cover /a")));
}

TEST(PolicyFile, WhatIsNoToml) {
    expect_refused("version = 1\nversion = 1\n", PolicyFault::syntax, StartsWith("p.toml:2: "));
    expect_refused("version = \n", PolicyFault::syntax, StartsWith("p.toml:1: "));
    expect_refused("\xFF\xFE", PolicyFault::syntax, StartsWith("p.toml:"));
    // Undefined behaviour of toml++ 3.3, if it saw these letters.
    expect_refused("version = 1\n\xD1\xB9", PolicyFault::syntax, StartsWith("p.toml:2: "));
    expect_refused("version = 0\"a\xEF\xBA\xBF\x19\n", PolicyFault::syntax,
                   StartsWith("p.toml:1: "));
    expect_refused(with("summary = \"\\u007E\""), PolicyFault::syntax, HasSubstr("write ~"));
    for (const char* line :
         {"summary = \"\xC3\xA9\" # \xC3\xA9", "summary = '\xC3\xA9'",
          "summary = \"\"\"\\\"\"\"\xC3\xA9\"\"\"", "summary = '''\xC3\xA9'''"}) {
        const auto accepted = parse_policy(with(line), "p.toml");
        EXPECT_TRUE(accepted.has_value()) << accepted.error().message;
    }
    const auto tilde = parse_policy(with("summary = \"~ \xC3\xA9 ~C3 \\u00e9 ~\""), "p.toml");
    ASSERT_TRUE(tilde.has_value());
    EXPECT_EQ(tilde->rules()[0].summary, "~ \xC3\xA9 ~C3 \xC3\xA9 ~");
    EXPECT_TRUE(parse_policy("\xEF\xBB\xBFversion = 1\n", "p.toml").has_value());
}

TEST(PolicyFile, Bounds) {
    expect_refused(std::string(policy_bytes_max + 1, '\n'), PolicyFault::too_large,
                   HasSubstr("1048576"));
    std::string many = "version = 1\n";
    for (std::size_t i = 0; i <= policy_rules_max; ++i) {
        many += "[[rule]]\nid=\"" + std::to_string(i) + "\"\npath=\"/" + std::to_string(i) +
                "\"\naccess=\"admin\"\n";
    }
    expect_refused(many, PolicyFault::too_large, HasSubstr("10001"));
    expect_refused("version = " + std::string(100'000, '['), PolicyFault::syntax,
                   HasSubstr("p.toml"));
}

}  // namespace
}  // namespace rollcall::gate
