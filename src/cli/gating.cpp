#include "cli/gating.hpp"

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "jobs/work_loop.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace rollcall::cli {
namespace {

using std::chrono::milliseconds;

// One statement is under way at a time; one more for when a connection breaks.
constexpr int connections = 2;

// Callers wait a second at most: what takes longer is of no use.
pg::DatabaseConfig impatient(pg::DatabaseConfig database, const gate::CallersConfig& callers) {
    const auto wait = std::chrono::duration_cast<milliseconds>(callers.wait);
    database.connect_timeout = std::min(database.connect_timeout, wait);
    database.acquire_timeout = std::min(database.acquire_timeout, wait);
    database.statement_timeout = std::min(database.statement_timeout, wait);
    return database;
}

clerk::KeySetConfig keys_of(const Config& config, const GateConfig& gate) {
    clerk::KeySetConfig keys;
    keys.user_agent = config.clerk.user_agent;
    if (!gate.has_keys()) return keys;
    auto source = clerk::choose_key_source(gate.keys);
    ensure(source.has_value(), "read_gate_config() has checked the source of keys");
    keys.source = *std::move(source);
    return keys;
}

gate::CallersConfig callers_of(const Config& config, const GateConfig& gate) {
    gate::CallersConfig callers;
    callers.outage_max = gate.outage_max;
    callers.provisioning.wait = std::min<Duration>(callers.provisioning.wait, config.clerk.timeout);
    return callers;
}

gate::SigningKeysConfig signing_of(const GateConfig& gate) {
    gate::SigningKeysConfig keys;
    keys.lifetime = gate.exchange_key_lifetime;
    return keys;
}

std::optional<crypto::SigningKey> shared_key_of(const GateConfig& gate) {
    if (gate.jwt_secret.empty()) return std::nullopt;
    auto key = crypto::SigningKey::from_shared_secret(gate.jwt_secret);
    ensure(key.has_value(), "read_gate_config() has checked the secret");
    return *std::move(key);
}

gate::DeciderConfig decider_of(const Config& config, const GateConfig& gate) {
    return {.trusted_proxies = config.public_listener.trusted_proxies,
            .carrier = gate.carrier,
            .token = gate.token};
}

}  // namespace

Gating::Gating(Executor executor, Neighbours neighbours, gate::Provisioning::Fetch fetch)
    : config_(neighbours.config),
      gate_(neighbours.gate),
      random_(neighbours.random),
      pool_(executor, "gate", connections, impatient(config_.database, callers_of(config_, gate_)),
            neighbours.metrics),
      keys_(executor, keys_of(config_, gate_), neighbours.metrics),
      callers_(
          executor, callers_of(config_, gate_),
          [this](auto asked, bool with_sync_age) { return read(asked, with_sync_age); },
          std::move(fetch), real_clock(), neighbours.metrics),
      decider_(
          decider_of(config_, gate_),
          {.key_generation = [this] { return keys_.generation(); },
           .verify =
               [this](std::string token) { return keys_.verify(std::move(token), gate_.token); },
           .known = [this](std::string_view clerk_id, std::string_view session_id,
                           SteadyTime now) { return callers_.known(clerk_id, session_id, now); },
           .find =
               [this](std::string clerk_id, std::string session_id) {
                   return callers_.find(std::move(clerk_id), std::move(session_id));
               }},
          gate_.policy, real_clock(), neighbours.metrics),
      signing_keys_(executor, neighbours.pool, signing_of(gate_), neighbours.metrics),
      shared_key_(shared_key_of(gate_)),
      exchange_(
          gate_.exchange,
          {.verify = [this](std::string token) { return verify_for_exchange(std::move(token)); },
           .find =
               [this](std::string clerk_id, std::string session_id) {
                   return callers_.find(std::move(clerk_id), std::move(session_id));
               },
           .signing_key = [this] { return shared_key_ ? &*shared_key_ : signing_keys_.active(); },
           .jwks = [this] { return signing_keys_.jwks(); }},
          real_clock(), neighbours.metrics),
      rules_(neighbours.metrics
                 .gauge("rollcall_gate_policy_rules", "Rules of the policy that is in use.")
                 .Add({})) {
    const http::RelayMetrics at_zero(neighbours.metrics);  // without a proxy, too
    if (!gate_.proxy) return;
    proxying_.emplace(executor, *gate_.proxy, config_.public_listener, gate_.verbose,
                      Proxying::Neighbours{
                          .decider = decider_, .random = random_, .metrics = neighbours.metrics});
}

void Gating::add_routes(http::Router& router) {
    if (!gate_.on) return;
    gate::add_decide_route(router, decider_, random_, {.verbose = gate_.verbose});
    exchange_.add_routes(router);
}

Result<void> Gating::start() {
    if (!gate_.on) return {};
    if (proxying_) {
        if (auto listening = proxying_->start(); !listening) return listening;
    }
    take(gate_);
    fetch_keys();
    return {};
}

void Gating::fetch_keys() {
    if (!proxying_ && config_.public_listener.trusted_proxies.empty()) {
        log::info("gate_answers_nobody", {{"reason", "gate.trusted_proxies is empty"}});
        return;
    }
    if (!gate_.has_keys()) {
        log::warn("gate_without_keys",
                  {{"message",
                    "no session token will be believed: set CLERK_JWT_KEY, gate.jwks_url, "
                    "CLERK_SECRET_KEY or CLERK_PUBLISHABLE_KEY"}});
        return;
    }
    if (keys_.issuer().empty()) {
        log::warn("gate_without_issuer", {{"message",
                                           "no session token will be believed: set gate.issuer or "
                                           "CLERK_PUBLISHABLE_KEY"}});
    }
    keys_.start();
}

Task<> Gating::prepare() {
    if (!gate_.on) co_return;
    co_await jobs::guarded("signing_keys_not_read", signing_keys_.refresh());
}

void Gating::open(const directory::Directory& directory) {
    directory_ = &directory;
    if (gate_.on) signing_keys_.start();
}

Task<clerk::TokenVerdict> Gating::verify_for_exchange(std::string token) {
    if (gate_.has_keys() && !stopping_) keys_.start();
    co_await keys_.ready();
    co_return co_await keys_.verify(std::move(token), gate_.token);
}

void Gating::take(const GateConfig& gate) {
    policy_file_ = gate.policy_file;
    policy_since_ = real_clock().now();
    rules_.Set(static_cast<double>(decider_.policy().rules().size()));
    log::info("gate_policy_taken", {{"rules", decider_.policy().rules().size()},
                                    {"default", gate::to_string(decider_.policy().fallback())}});
}

void Gating::reload(const GateConfig& gate) {
    if (!gate_.on || !gate.on) return;
    decider_.use(gate.policy);
    take(gate);
}

Task<directory::StandingsRead> Gating::read(std::span<const directory::StandingAsked> asked,
                                            bool with_sync_age) {
    if (directory_ == nullptr) throw Unavailable("no schema yet");
    co_return co_await directory_->standings().read(pool_, asked, with_sync_age);
}

std::string Gating::status() const {
    if (!gate_.on) return R"({"on":false})";
    const auto* const keys = keys_.keys();
    const auto age = keys_.age();
    return fmt::format(
        R"({{"on":true,"keys":{{"usable":{},"count":{},"age_seconds":{},"issuer":{},)"
        R"("circuit":"{}"}},)"
        R"("policy":{{"file":{},"rules":{},"default":"{}","since":{}}},"tokens":{},)"
        R"("exchange":{{"algorithm":"{}","signing_keys":{}}}}})",
        keys != nullptr, keys == nullptr ? 0 : keys->size(),
        age ? std::to_string(std::chrono::floor<std::chrono::seconds>(*age).count()) : "null",
        json_string(keys_.issuer()), http::to_string(keys_.circuit()), json_string(policy_file_),
        decider_.policy().rules().size(), gate::to_string(decider_.policy().fallback()),
        json_time(policy_since_), decider_.tokens(), shared_key_ ? "HS256" : "ES256",
        signing_keys_.status());
}

Task<> Gating::drain(Duration limit) {
    if (proxying_) co_await proxying_->drain(std::chrono::duration_cast<milliseconds>(limit));
}

Task<bool> Gating::stop(Duration limit) {
    stopping_ = true;
    const bool signed_off = co_await signing_keys_.stop(limit);
    co_await keys_.stop();
    co_return co_await callers_.stop(limit) && signed_off;
}

Task<> Gating::disconnect() {
    co_await pool_.stop();
}

}  // namespace rollcall::cli
