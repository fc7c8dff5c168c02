#include "clerk/key_set.hpp"
#include "cli/doctor.hpp"
#include "cli/gate_config.hpp"
#include "crypto/jwk_set.hpp"
#include "http/client.hpp"
#include "jobs/work_loop.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>

namespace rollcall::cli {
namespace {

constexpr std::chrono::milliseconds keys_wait{5'000};
constexpr const char* different_instances =
    "take both keys from one instance: Clerk's dashboard, API keys";

void check_policy(const GateConfig& gate, Findings& findings) {
    if (gate.policy_file.empty()) {
        findings.ok("gate_policy", "no gate.policy: every request needs a session token");
        return;
    }
    findings.ok("gate_policy",
                fmt::format("{} rules in {}, by default {}", gate.policy->rules().size(),
                            gate.policy_file, gate::to_string(gate.policy->fallback())));
}

void check_parties(const Config& config, const GateConfig& gate, Findings& findings) {
    const bool live = config.clerk.secret_key.reveal().starts_with("sk_live_") ||
                      gate.keys.publishable_key.starts_with("pk_live_");
    if (!gate.token.authorized_parties.empty()) {
        findings.ok("gate_parties", fmt::format("tokens of {} origins count",
                                                gate.token.authorized_parties.size()));
    } else if (live) {
        findings.warn("gate_parties",
                      "a token that another site got from this Clerk instance is taken",
                      "set CLERK_AUTHORIZED_PARTIES to the application's origins, as "
                      "https://app.example.com");
    }
}

void check_issuer(const clerk::KeySource& source, Findings& findings) {
    if (source.issuer.empty()) {
        findings.warn("gate_issuer", "no issuer is known: no session token will be believed",
                      "set CLERK_PUBLISHABLE_KEY, or gate.issuer");
    } else {
        findings.ok("gate_issuer", "tokens of " + source.issuer + " count");
    }
}

// The key set that is published there; what is refused is told, and nothing then.
Task<std::optional<crypto::JwkSet>> fetch_keys(http::Client& client, const clerk::KeySource& source,
                                               Findings& findings) {
    const auto answer = co_await client.send(clerk::key_request(source, keys_wait));
    if (answer.status != 200) {
        findings.fail("gate_keys", fmt::format("{} answers {}", source.url, answer.status),
                      "check the key set's address, and the network from here");
        co_return std::nullopt;
    }
    auto keys = crypto::JwkSet::parse(answer.body);
    if (!keys) {
        findings.fail("gate_keys",
                      fmt::format("the key set of {} is refused: {}", source.url,
                                  crypto::describe(keys.error())),
                      "docs/tokens.md says what a key set must be");
        co_return std::nullopt;
    }
    co_return *std::move(keys);
}

// Whether the publishable key, whose Frontend API issues the tokens, is of the instance whose keys
// the secret key opens. Else every token would be refused.
Task<> check_one_instance(http::Client& client, const clerk::KeySettings& settings,
                          const crypto::JwkSet& keys, Findings& findings) {
    const auto issuing = clerk::choose_key_source({.publishable_key = settings.publishable_key});
    ensure(issuing.has_value(), "read_gate_config() has checked the publishable key");
    std::optional<crypto::JwkSet> published;
    Findings unheard;  // that it is away is told once, below
    const auto fetched = co_await jobs::caught(
        [&]() -> Task<> { published = co_await fetch_keys(client, *issuing, unheard); }());
    if (!fetched || !published) {
        findings.warn("gate_instance",
                      fmt::format("{} does not say whether the publishable key is of the secret "
                                  "key's instance",
                                  issuing->url),
                      "check CLERK_PUBLISHABLE_KEY, and the network from here");
    } else if (!keys.shares_key_with(*published)) {
        findings.fail("gate_instance",
                      fmt::format("no key of {} is one that the secret key opens", issuing->url),
                      different_instances);
    } else {
        findings.ok("gate_instance", "the publishable key is of the secret key's instance");
    }
}

// What needs no network: keys of a development instance beside those of a production one.
bool check_kinds(const clerk::KeySettings& keys, Findings& findings) {
    const bool secret_live = keys.secret_key.reveal().starts_with("sk_live_");
    const bool publishable_live = keys.publishable_key.starts_with("pk_live_");
    if (secret_live == publishable_live) return true;
    findings.fail("gate_instance",
                  fmt::format("CLERK_PUBLISHABLE_KEY begins with {}, CLERK_SECRET_KEY with {}",
                              publishable_live ? "pk_live_" : "pk_test_",
                              secret_live ? "sk_live_" : "sk_test_"),
                  different_instances);
    return false;
}

Task<> check_keys(Executor executor, const Config& config, const clerk::KeySettings& settings,
                  const clerk::KeySource& source, Findings& findings) {
    const bool both = !settings.publishable_key.empty() && !settings.secret_key.empty();
    const bool kinds_match = !both || check_kinds(settings, findings);
    if (source.pinned) {
        findings.ok("gate_keys", "tokens are verified with clerk.jwt_key");
        co_return;
    }
    http::Client client(executor, {.connections_per_host_max = 1,
                                   .body_bytes_max = crypto::JwkSet::bytes_max,
                                   .user_agent = config.clerk.user_agent});
    const auto keys = co_await fetch_keys(client, source, findings);
    if (!keys) co_return;
    findings.ok("gate_keys", fmt::format("{} has {} keys", source.url, keys->size()));
    const bool of_two_keys = both && settings.jwks_url.empty() && settings.issuer.empty();
    if (of_two_keys && kinds_match) {
        co_await check_one_instance(client, settings, *keys, findings);
    }
}

}  // namespace

Task<> check_gate(Executor executor, const Settings& settings, const Config& config,
                  Findings& findings) {
    const auto gate = read_gate_config(settings);
    if (!gate) {
        findings.fail("gate_policy", gate.error(),
                      "see docs/gate.md; rollcall verify policy FILE looks at a policy alone");
        co_return;
    }
    const bool answers = gate->proxy || !config.public_listener.trusted_proxies.empty();
    if (!gate->on || !answers) co_return;
    check_policy(*gate, findings);
    check_parties(config, *gate, findings);
    if (!gate->has_keys()) {
        findings.warn("gate_keys", "there is nothing to verify session tokens with",
                      "set CLERK_PUBLISHABLE_KEY, CLERK_SECRET_KEY, CLERK_JWT_KEY or "
                      "gate.jwks_url");
        co_return;
    }
    const auto source = clerk::choose_key_source(gate->keys);
    ensure(source.has_value(), "read_gate_config() has checked the source of keys");
    check_issuer(*source, findings);
    co_await check_keys(executor, config, gate->keys, *source, findings);
}

}  // namespace rollcall::cli
