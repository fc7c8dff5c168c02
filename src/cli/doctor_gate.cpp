#include "clerk/key_set.hpp"
#include "cli/doctor.hpp"
#include "cli/gate_config.hpp"
#include "crypto/jwk_set.hpp"
#include "http/client.hpp"

#include <fmt/format.h>

#include <chrono>

namespace rollcall::cli {
namespace {

constexpr std::chrono::milliseconds keys_wait{5'000};

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

Task<> check_keys(Executor executor, const Config& config, const clerk::KeySource& source,
                  Findings& findings) {
    if (source.pinned) {
        findings.ok("gate_keys", "tokens are verified with clerk.jwt_key");
        co_return;
    }
    const std::string advice = "check the key set's address, and the network from here";
    http::Client client(executor, {.connections_per_host_max = 1,
                                   .body_bytes_max = crypto::JwkSet::bytes_max,
                                   .user_agent = config.clerk.user_agent});
    const auto answer = co_await client.send(clerk::key_request(source, keys_wait));
    if (answer.status != 200) {
        findings.fail("gate_keys", fmt::format("{} answers {}", source.url, answer.status), advice);
        co_return;
    }
    const auto keys = crypto::JwkSet::parse(answer.body);
    if (!keys) {
        findings.fail("gate_keys",
                      fmt::format("the key set of {} is refused: {}", source.url,
                                  crypto::describe(keys.error())),
                      "docs/tokens.md says what a key set must be");
        co_return;
    }
    findings.ok("gate_keys", fmt::format("{} has {} keys", source.url, keys->size()));
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
    co_await check_keys(executor, config, *source, findings);
}

}  // namespace rollcall::cli
