#include "cli/gate_config.hpp"

#include "cli/input.hpp"
#include "crypto/signing_key.hpp"
#include "gate/policy_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace rollcall::cli {
namespace {

using namespace std::chrono_literals;

Result<std::chrono::seconds> seconds(const Settings& settings, std::string_view key,
                                     std::chrono::seconds low, std::chrono::seconds high) {
    const auto value = settings.duration(key);
    if (value < low || value > high || value % 1s != 0ms) {
        return std::unexpected(settings.error(
            key,
            fmt::format("must be whole seconds between {} and {}", low.count(), high.count())));
    }
    return std::chrono::duration_cast<std::chrono::seconds>(value);
}

Result<std::shared_ptr<const gate::Policy>> load(const Settings& settings,
                                                 const std::string& file) {
    if (file.empty()) {
        return std::make_shared<const gate::Policy>(
            *gate::Policy::make(gate::Access::protected_, {}));
    }
    const auto text = read_input(file);
    if (!text) return std::unexpected(settings.error("gate.policy", text.error().message));
    auto policy = gate::parse_policy(*text, file);
    if (!policy) return std::unexpected(settings.error("gate.policy", policy.error().message));
    return std::make_shared<const gate::Policy>(*std::move(policy));
}

Result<void> read_token_rules(const Settings& settings, clerk::TokenRules& rules) {
    rules.authorized_parties = settings.list("gate.authorized_parties");
    rules.audiences = settings.list("gate.audiences");
    rules.algorithms.clear();
    for (const std::string& name : settings.list("gate.algorithms")) {
        const auto algorithm = crypto::parse_algorithm(name);
        if (!algorithm) {
            return std::unexpected(
                settings.error("gate.algorithms", "must be of RS256, ES256, PS256"));
        }
        rules.algorithms.push_back(*algorithm);
    }
    if (rules.algorithms.empty()) {
        return std::unexpected(settings.error("gate.algorithms", "must not be empty"));
    }
    const auto skew = seconds(settings, "gate.skew", 0s, 60s);
    if (!skew) return std::unexpected(skew.error());
    rules.skew = *skew;
    const auto lifetime = seconds(settings, "gate.max_lifetime", 1s, 1h);
    if (!lifetime) return std::unexpected(lifetime.error());
    rules.lifetime_max = *lifetime;
    return {};
}

// Nothing where there is no listener.
Result<std::optional<ProxySettings>> read_proxy(const Settings& settings) {
    ProxySettings proxy{.listen = settings.text("gate.listen"), .relay = {}};
    proxy.relay.upstream = settings.text("gate.upstream");
    if (proxy.listen.empty() && proxy.relay.upstream.empty()) return std::nullopt;
    if (proxy.listen.empty() || proxy.relay.upstream.empty()) {
        const std::string_view missing = proxy.listen.empty() ? "gate.listen" : "gate.upstream";
        return std::unexpected(settings.error(
            missing, "is needed: reverse proxy mode takes both gate.listen and gate.upstream"));
    }
    if (const auto good = http::check_relay_upstream(proxy.relay.upstream); !good) {
        return std::unexpected(settings.error("gate.upstream", good.error().message));
    }
    const auto timeout = seconds(settings, "gate.upstream_timeout", 1s, 1h);
    if (!timeout) return std::unexpected(timeout.error());
    const auto idle = seconds(settings, "gate.websocket_idle", 1s, 24h);
    if (!idle) return std::unexpected(idle.error());
    proxy.relay.timeout = proxy.client_timeout = *timeout;
    proxy.relay.tunnel_idle_timeout = *idle;
    proxy.relay.pass_host = settings.boolean("gate.pass_host");
    return proxy;
}

Result<void> read_exchange_rules(const Settings& settings, GateConfig& config) {
    config.exchange.issue.issuer = settings.text("gate.exchange_issuer");
    if (config.exchange.issue.issuer.empty()) {
        return std::unexpected(settings.error("gate.exchange_issuer", "must not be empty"));
    }
    config.exchange.audiences = settings.list("gate.exchange_audiences");
    const auto lifetime = seconds(settings, "gate.exchange_lifetime", 5s, 5min);
    if (!lifetime) return std::unexpected(lifetime.error());
    config.exchange.issue.lifetime_max = *lifetime;
    const auto key_lifetime = seconds(settings, "gate.exchange_key_lifetime", 24h, 24h * 365);
    if (!key_lifetime) return std::unexpected(key_lifetime.error());
    config.exchange_key_lifetime = *key_lifetime;
    config.exchange.verbose = settings.boolean("gate.verbose_errors");
    config.jwt_secret = Secret(settings.text("supabase.jwt_secret"));
    if (config.jwt_secret.empty()) return {};
    if (auto key = crypto::SigningKey::from_shared_secret(config.jwt_secret); !key) {
        return std::unexpected(settings.error("supabase.jwt_secret", key.error().message));
    }
    return {};
}

}  // namespace

Result<GateConfig> read_gate_config(const Settings& settings) {
    GateConfig config;
    const auto& roles = settings.list("serve.roles");
    config.on = std::ranges::find(roles, "gate") != roles.end();
    config.policy_file = settings.text("gate.policy");
    config.keys = {.jwt_key = settings.text("clerk.jwt_key"),
                   .jwks_url = settings.text("gate.jwks_url"),
                   .api_url = settings.text("clerk.api_url"),
                   .secret_key = Secret(settings.text("clerk.secret_key")),
                   .publishable_key = settings.text("clerk.publishable_key"),
                   .issuer = settings.text("gate.issuer")};
    if (config.has_keys()) {
        const auto source = clerk::choose_key_source(config.keys);
        if (!source) return std::unexpected(source.error());
        if (!source->issuer.empty()) config.token.issuers = {source->issuer};
    }
    if (auto read = read_token_rules(settings, config.token); !read) {
        return std::unexpected(read.error());
    }
    config.carrier.origins = config.token.authorized_parties;
    if (settings.boolean("gate.session_cookie")) {
        config.carrier.cookies = clerk::session_cookies(config.keys.publishable_key);
    }
    const auto outage = seconds(settings, "gate.outage_max", 0s, 1h);
    if (!outage) return std::unexpected(outage.error());
    config.outage_max = *outage;
    config.verbose = settings.boolean("gate.verbose_errors");
    auto proxy = read_proxy(settings);
    if (!proxy) return std::unexpected(proxy.error());
    if (config.on) config.proxy = *std::move(proxy);
    if (auto read = read_exchange_rules(settings, config); !read) {
        return std::unexpected(read.error());
    }
    if (!config.on) {
        config.policy =
            std::make_shared<const gate::Policy>(*gate::Policy::make(gate::Access::deny, {}));
        return config;
    }
    auto policy = load(settings, config.policy_file);
    if (!policy) return std::unexpected(policy.error());
    config.policy = *std::move(policy);
    return config;
}

}  // namespace rollcall::cli
