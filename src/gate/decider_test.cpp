#include "gate/decider.hpp"

#include "gate/policy_file.hpp"

#include <gtest/gtest.h>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

namespace rollcall::gate {
namespace {

using namespace std::chrono_literals;
using clerk::TokenReason;

constexpr SystemTime start{std::chrono::sys_days(std::chrono::year(2026) / 11 / 23)};
constexpr std::string_view proxy = "10.0.0.1";

constexpr std::string_view policy_text = R"(version = 1
default = "protected"
[[rule]]
id = "health"
path = "/health"
access = "public"
[[rule]]
id = "admin"
path = "/admin/**"
access = "admin"
[[rule]]
id = "fresh"
path = "/fresh"
access = "protected"
max_staleness = "10m"
)";

std::shared_ptr<const Policy> policy(std::string_view text = policy_text) {
    auto parsed = parse_policy(text, "policy.toml");
    if (!parsed) throw std::runtime_error(parsed.error().message);
    return std::make_shared<const Policy>(*std::move(parsed));
}

// Keys that take the tokens they are told to, and callers of whom it is told who they are.
class DeciderTest : public testing::Test {
protected:
    DeciderTest() {
        config.trusted_proxies =
            *http::TrustedProxies::parse(std::vector<std::string>{"10.0.0.0/8"});
        config.token.issuers = {"https://clerk.example.com"};
        config.token.authorized_parties = {"https://app.example.com"};
        caller.standing.user_id = "0199-uuid";
        caller.standing.role = "user";
        caller.sync_age = 1s;
        claims.subject = "user_a";
        claims.session_id = "sess_a";
        claims.issuer = "https://clerk.example.com";
        claims.authorized_party = "https://app.example.com";
        claims.issued_at = start;
        claims.expires_at = start + 60s;
        claims.organization =
            clerk::Organization{.id = "org_a", .slug = "", .role = "org:admin", .permissions = {}};
    }

    Decider& decider() {
        if (made == nullptr) {
            made = std::make_unique<Decider>(
                config,
                Decider::Sources{
                    .key_generation = [this] { return generation; },
                    .verify = [this](std::string token) { return verify(token); },
                    .known = [this](std::string_view id, std::string_view session,
                                    SteadyTime now) { return known(id, session, now); },
                    .find = [this](std::string id,
                                   std::string session) { return find(id, session); }},
                policy(), clock, registry);
        }
        return *made;
    }
    Task<clerk::TokenVerdict> verify(std::string token) {
        ++verified;
        if (verify_throws) throw std::runtime_error("a bug in the keys");
        co_await sleep(0ns);
        if (token != "good") {
            co_return std::unexpected(clerk::TokenRefusal{TokenReason::bad_signature, "no"});
        }
        if (refusal) co_return std::unexpected(clerk::TokenRefusal{*refusal, "told so"});
        co_return claims;
    }
    std::optional<Caller> known(std::string_view id, std::string_view session, SteadyTime now) {
        if (!remembers) return std::nullopt;
        recalled.push_back(std::string(id) + " " + std::string(session));
        EXPECT_EQ(now, clock.steady());
        return caller;
    }
    Task<Result<Caller>> find(std::string id, std::string session) {
        found.push_back(id + " " + session);
        if (find_throws) throw Unavailable("no database");
        co_await sleep(0ns);
        if (lost) co_return fail(ErrorCode::unavailable, "nobody knows");
        co_return caller;
    }

    static http::Fields asking(std::string_view path, std::string_view authorization = "",
                               std::string_view method = "GET") {
        http::Fields headers;
        headers.add("X-Forwarded-Uri", path);
        headers.add("X-Forwarded-Method", method);
        headers.add("X-Forwarded-Host", "app.example.com");
        if (!authorization.empty()) headers.add("Authorization", authorization);
        return headers;
    }
    Verdict result_of(Task<Verdict> task) {
        Verdict out;
        asio::co_spawn(io, std::move(task), [&](std::exception_ptr error, Verdict verdict) {
            if (error) std::rethrow_exception(error);
            out = std::move(verdict);
        });
        io.restart();
        io.run();
        return out;
    }
    Verdict decide(const http::Fields& headers, std::string_view peer = proxy) {
        return result_of(decider().decide(peer, headers));
    }
    // Of a request that comes to the gate itself.
    Verdict decide_request(std::string_view target, std::string_view authorization,
                           std::string_view host = "app.example.com") {
        http::Request request{.method = "GET", .target = std::string(target)};
        request.headers = asking("/health", authorization);  // nobody's word counts
        request.headers.add("Host", host);
        return result_of(decider().decide(request));
    }
    Verdict decide(std::string_view path, std::string_view authorization = "Bearer good") {
        return decide(asking(path, authorization));
    }
    static std::string words(const Verdict& verdict) {
        constexpr std::array<std::string_view, 3> names{"200", "401", "403"};
        return std::string(names.at(static_cast<std::size_t>(verdict.answer))) + " " +
               std::string(verdict.reason);
    }
    double counted(std::string_view line) const {
        const std::string text = registry.render();
        const auto at = text.find("\n" + std::string(line) + " ");
        if (at == std::string::npos) return -1;
        return std::stod(text.substr(at + line.size() + 2));
    }

    asio::io_context io;
    ManualClock clock{start};
    MetricsRegistry registry;
    DeciderConfig config;
    clerk::SessionClaims claims;
    Caller caller;
    std::optional<std::uint64_t> generation = 1;
    std::optional<TokenReason> refusal;
    bool remembers = false;
    bool lost = false;
    bool verify_throws = false;
    bool find_throws = false;
    int verified = 0;
    std::vector<std::string> recalled;
    std::vector<std::string> found;
    std::unique_ptr<Decider> made;
};

TEST_F(DeciderTest, AGoodTokenPassesAndSaysWho) {
    const Verdict verdict = decide("/orders/1?x=1");
    EXPECT_EQ(words(verdict), "200 ok");
    EXPECT_EQ(verdict.rule, "default");
    EXPECT_EQ(verdict.access, Access::protected_);
    EXPECT_EQ(verdict.path, "/orders/1");
    EXPECT_EQ(verdict.identity.user_id, "0199-uuid");
    EXPECT_EQ(verdict.identity.subject, "user_a");
    EXPECT_EQ(verdict.identity.session, "sess_a");
    EXPECT_EQ(verdict.identity.organization, "org_a");
    EXPECT_EQ(verdict.identity.role, "user");
    EXPECT_EQ(found, std::vector<std::string>{"user_a sess_a"});
}

TEST_F(DeciderTest, APublicRouteAsksNobody) {
    for (const std::string_view token : {"", "Bearer bad", "Bearer good"}) {
        const Verdict verdict = decide("/health", token);
        EXPECT_EQ(words(verdict), "200 ok");
        EXPECT_EQ(verdict.identity.subject, "");
        EXPECT_EQ(verdict.rule, "health");
    }
    EXPECT_EQ(verified, 0);
    EXPECT_TRUE(found.empty());
    EXPECT_EQ(words(decide("/health/", "")), "401 missing_token");
}

TEST_F(DeciderTest, OnlyATrustedProxyIsAnswered) {
    EXPECT_EQ(words(decide(asking("/health"), "203.0.113.9")), "403 untrusted_proxy");
    EXPECT_EQ(words(decide(asking("/x", "Bearer good"), "")), "403 untrusted_proxy");
    EXPECT_EQ(verified, 0);
    // One after the other: the answer of one says nothing of the next.
    EXPECT_EQ(words(decide(asking("/health"), proxy)), "200 ok");
    EXPECT_EQ(words(decide(asking("/health"), "203.0.113.9")), "403 untrusted_proxy");
    EXPECT_EQ(words(decide(asking("/health"), "10.255.0.1")), "200 ok");
    EXPECT_EQ(words(decide(asking("/health"), "")), "403 untrusted_proxy");
}

// CVE-2026-40575, CVE-2026-76835 (oauth2-proxy).
TEST_F(DeciderTest, NobodyIsTrustedUnlessNamed) {
    config.trusted_proxies = {};
    EXPECT_EQ(words(decide(asking("/health"))), "403 untrusted_proxy");
    EXPECT_EQ(words(decide(asking("/health"), "")), "403 untrusted_proxy");
}

TEST_F(DeciderTest, WhoIsKnownIsNotAskedFor) {
    remembers = true;
    EXPECT_EQ(words(decide("/x")), "200 ok");
    EXPECT_EQ(words(decide("/x")), "200 ok");
    EXPECT_EQ(recalled, (std::vector<std::string>{"user_a sess_a", "user_a sess_a"}));
    EXPECT_TRUE(found.empty());
    caller.standing.banned = true;
    EXPECT_EQ(words(decide("/x")), "403 user_banned");
}

TEST_F(DeciderTest, ATargetThatCannotBeReadIsDenied) {
    for (const std::string_view path :
         {"/health/../admin/x", "/%2e%2e/health", "//health", "/health%2f", "health", "/a;b",
          "/health\\", "/%ff", "", "/a%zz", "/health#x"}) {
        const Verdict verdict = decide(path);
        EXPECT_EQ(words(verdict), "403 bad_target") << path;
        EXPECT_FALSE(verdict.access.has_value());
    }
    http::Fields twice = asking("/health");
    twice.add("X-Original-URI", "/admin/x");
    EXPECT_EQ(words(decide(twice)), "403 bad_target");
    EXPECT_EQ(words(decide(http::Fields())), "403 bad_target");
    EXPECT_EQ(verified, 0);
}

TEST_F(DeciderTest, NoTokenOrABadOneIs401) {
    const Verdict missing = decide("/x", "");
    EXPECT_EQ(words(missing), "401 missing_token");
    EXPECT_FALSE(missing.token_shown);
    EXPECT_EQ(words(decide("/x", "Basic YTpi")), "401 missing_token");
    const Verdict bad = decide("/x", "Bearer bad");
    EXPECT_EQ(words(bad), "401 bad_signature");
    EXPECT_TRUE(bad.token_shown);
    http::Fields twice = asking("/x", "Bearer good");
    twice.add("Authorization", "Bearer good");
    EXPECT_EQ(words(decide(twice)), "401 malformed");
    EXPECT_TRUE(found.empty());
}

TEST_F(DeciderTest, EveryRefusalOfATokenIsADenial) {
    for (std::size_t i = 0; i < clerk::token_reasons; ++i) {
        refusal = static_cast<TokenReason>(i);
        const Verdict verdict = decide("/x");
        const std::string code = *refusal == TokenReason::jwks_unavailable ? "403 " : "401 ";
        EXPECT_EQ(words(verdict), code + std::string(clerk::to_string(*refusal)));
        EXPECT_EQ(verdict.identity.user_id, "");
    }
    EXPECT_EQ(decider().tokens(), 0U);
}

TEST_F(DeciderTest, ARememberedTokenIsJudgedAgain) {
    EXPECT_EQ(words(decide("/x")), "200 ok");
    EXPECT_EQ(words(decide("/x")), "200 ok");
    EXPECT_EQ(verified, 1);
    EXPECT_EQ(found.size(), 2U);
    clock.advance(60s);  // dead at exp, though the skew would let it pass: verified again
    EXPECT_EQ(words(decide("/x")), "200 ok");
    EXPECT_EQ(verified, 2);
    EXPECT_EQ(decider().tokens(), 0U);
}

TEST_F(DeciderTest, ARememberedTokenIsNotYetValidWhenTheClockWentBack) {
    claims.not_before = start;
    EXPECT_EQ(words(decide("/x")), "200 ok");
    clock.advance(-10s);
    EXPECT_EQ(words(decide("/x")), "401 not_yet_valid");
    EXPECT_EQ(verified, 1);
}

TEST_F(DeciderTest, ARememberedTokenMeetsItsNewStandingAndOtherRules) {
    EXPECT_EQ(words(decide("/x")), "200 ok");
    EXPECT_EQ(words(decide("/admin/x")), "403 not_admin");
    caller.standing.role = "admin";
    EXPECT_EQ(words(decide("/admin/x")), "200 ok");
    caller.standing.revoked_for = 0.1;
    EXPECT_EQ(words(decide("/x")), "401 session_revoked");
    EXPECT_EQ(verified, 1);
}

TEST_F(DeciderTest, OtherKeysForgetEveryToken) {
    EXPECT_EQ(words(decide("/x")), "200 ok");
    generation = 2;
    refusal = TokenReason::kid_unknown;
    EXPECT_EQ(words(decide("/x")), "401 kid_unknown");
    EXPECT_EQ(verified, 2);
    generation = std::nullopt;
    refusal = TokenReason::jwks_unavailable;
    EXPECT_EQ(words(decide("/x")), "403 jwks_unavailable");
}

TEST_F(DeciderTest, WithoutKeysARememberedTokenDoesNotCount) {
    EXPECT_EQ(words(decide("/x")), "200 ok");
    generation = std::nullopt;
    refusal = TokenReason::jwks_unavailable;
    EXPECT_EQ(words(decide("/x")), "403 jwks_unavailable");
}

TEST_F(DeciderTest, WhoMayNotIsForbidden) {
    const auto refused = [&](auto change) {
        const Caller before = caller;
        change(caller);
        std::string said = words(decide("/fresh"));
        caller = before;
        return said;
    };
    EXPECT_EQ(refused([](Caller& c) { c.standing.deleted = true; }), "403 user_deleted");
    EXPECT_EQ(refused([](Caller& c) { c.standing.user_id = ""; }), "403 user_unknown");
    EXPECT_EQ(refused([](Caller& c) { c.standing.banned = true; }), "403 user_banned");
    EXPECT_EQ(refused([](Caller& c) { c.standing.locked = true; }), "403 user_banned");
    EXPECT_EQ(refused([](Caller& c) { c.standing.revoked_for = 1; }), "401 session_revoked");
    EXPECT_EQ(refused([](Caller& c) { c.sync_age = 11min; }), "403 sync_stale");
    EXPECT_EQ(refused([](Caller& c) { c.sync_age.reset(); }), "403 sync_stale");
    EXPECT_EQ(refused([](Caller&) {}), "200 ok");
}

TEST_F(DeciderTest, AnAdminIsOneInTheTableAndKnownNow) {
    claims.organization->role = "admin";
    EXPECT_EQ(words(decide("/admin/x")), "403 not_admin");
    caller.standing.role = "admin";
    EXPECT_EQ(words(decide("/admin/x")), "200 ok");
    caller.confirmed = false;
    EXPECT_EQ(words(decide("/admin/x")), "403 policy_error");
    EXPECT_EQ(words(decide("/x")), "200 ok");
}

// No step that fails lets anybody through.
TEST_F(DeciderTest, WhateverFailsIsADenial) {
    lost = true;
    EXPECT_EQ(words(decide("/x")), "403 policy_error");
    lost = false;
    find_throws = true;
    EXPECT_EQ(words(decide("/x")), "403 policy_error");
    find_throws = false;
    made.reset();
    verify_throws = true;
    EXPECT_EQ(words(decide("/x")), "403 policy_error");
    EXPECT_EQ(words(decide("/health")), "200 ok");
}

TEST_F(DeciderTest, WhatNoHeaderFieldCanSayIsADenial) {
    for (const std::string_view role : {"a\r\nX: y", "\xC3\xA9", "a\tb", " a", "a "}) {
        caller.standing.role = role;
        const Verdict verdict = decide("/x");
        EXPECT_EQ(words(verdict), "403 policy_error") << role;
        EXPECT_EQ(verdict.identity.role, "");
    }
    caller.standing.role = "super admin";
    EXPECT_EQ(words(decide("/x")), "200 ok");
}

TEST_F(DeciderTest, TheDefaultMayDenyAll) {
    decider().use(policy("version = 1\ndefault = \"deny\"\n"));
    EXPECT_EQ(words(decide("/x")), "403 no_rule");
    EXPECT_EQ(words(decide("/health")), "403 no_rule");
    EXPECT_EQ(verified, 0);
}

TEST_F(DeciderTest, AnotherPolicyCountsFromTheNextDecisionOn) {
    EXPECT_EQ(words(decide("/health", "")), "200 ok");
    decider().use(policy("version = 1\n"));
    EXPECT_EQ(words(decide("/health", "")), "401 missing_token");
}

TEST_F(DeciderTest, ACookieCountsOnlyWhereItIsAllowed) {
    http::Fields headers = asking("/x", "", "POST");
    headers.add("Cookie", "__session=good");
    EXPECT_EQ(words(decide(headers)), "401 missing_token");
    made.reset();
    config.carrier = {.cookies = {"__session"}, .origins = {"https://app.example.com"}};
    EXPECT_EQ(words(decide(headers)), "401 missing_token");
    headers.add("Origin", "https://app.example.com");
    EXPECT_EQ(words(decide(headers)), "200 ok");
}

TEST_F(DeciderTest, CountsWhatItDecided) {
    decider();
    EXPECT_EQ(counted("rollcall_gate_decisions_total{access=\"admin\",decision=\"deny\",reason="
                      "\"user_banned\"}"),
              0);
    decide("/x");
    decide("/x");
    decide("/health");
    decide("/x", "");
    EXPECT_EQ(counted("rollcall_gate_decisions_total{access=\"protected\",decision=\"allow\","
                      "reason=\"ok\"}"),
              2);
    EXPECT_EQ(counted("rollcall_gate_decisions_total{access=\"protected\",decision=\"deny\","
                      "reason=\"missing_token\"}"),
              1);
    EXPECT_EQ(counted("rollcall_gate_token_cache_requests_total"), 2);
    EXPECT_EQ(counted("rollcall_gate_token_cache_hits_total"), 1);
    EXPECT_EQ(counted("rollcall_gate_token_cache_entries"), 1);
    EXPECT_EQ(counted("rollcall_gate_decision_duration_seconds_count{cache=\"hit\"}"), 1);
}

TEST_F(DeciderTest, ARequestThatComesItselfIsJudgedByItsOwnLine) {
    EXPECT_EQ(words(decide_request("/health?x=1", "")), "200 ok");
    EXPECT_EQ(words(decide_request("/x", "")), "401 missing_token");
    const Verdict verdict = decide_request("/%61dmin/x?y", "Bearer good");
    EXPECT_EQ(words(verdict), "403 not_admin");
    EXPECT_EQ(verdict.path, "/admin/x");
    EXPECT_EQ(words(decide_request("/orders/1", "Bearer good")), "200 ok");
    for (const char* odd : {"/health/../x", "/health//", "/health%2f..", "/%zz", "/x;y", "*"}) {
        EXPECT_EQ(words(decide_request(odd, "Bearer good")), "403 bad_target") << odd;
    }
    EXPECT_EQ(words(decide_request("/health", "", "a b")), "403 bad_target");
}

}  // namespace
}  // namespace rollcall::gate
