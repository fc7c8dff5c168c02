// The settings of the gate, and its policy file, as the gate takes them: beside cli/config, because
// only a process that has the role reads the file. An unusable file, key or name is
// bad_configuration.
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "clerk/key_source.hpp"
#include "clerk/session_token.hpp"
#include "cli/settings.hpp"
#include "gate/exchange.hpp"
#include "gate/policy.hpp"
#include "gate/presented_token.hpp"
#include "http/relay.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace rollcall::cli {

// Reverse proxy mode.
struct ProxySettings {
    std::string listen;
    http::RelayConfig relay;
    std::chrono::milliseconds client_timeout{60'000};  // of a client, for each piece of a body
};

struct GateConfig {
    bool on = false;                               // this process has the role gate
    std::string policy_file;                       // "": none
    std::shared_ptr<const gate::Policy> policy{};  // of nobody may pass where the gate is off
    clerk::KeySettings keys;
    clerk::TokenRules token;
    gate::CarrierRules carrier;
    std::chrono::seconds outage_max{};  // known callers pass for so long while PostgreSQL is away
    bool verbose = true;
    std::optional<ProxySettings> proxy{};  // nothing: it only answers proxies
    gate::ExchangeConfig exchange;
    std::chrono::milliseconds exchange_key_lifetime{};
    Secret jwt_secret;  // empty: what is issued is signed with keys of rollcall's own

    // Whether there is anything to verify tokens with.
    [[nodiscard]] bool has_keys() const {
        return !keys.jwt_key.empty() || !keys.jwks_url.empty() || !keys.secret_key.empty() ||
               !keys.publishable_key.empty();
    }
};

// The file is read where the gate is on. Without one, every request needs a session token.
[[nodiscard]] Result<GateConfig> read_gate_config(const Settings& settings);

}  // namespace rollcall::cli
