// What `serve` has of the gate: the route, the keys of session tokens, what is known of callers,
// over connections of its own, the policy, the reverse proxy, and the exchange of tokens with keys
// of rollcall's own. A gate that has no proxy and trusts none decides for nobody: it then asks for
// Clerk's keys only when the first token is to be exchanged.
#pragma once

#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "clerk/key_set.hpp"
#include "cli/config.hpp"
#include "cli/gate_config.hpp"
#include "cli/proxying.hpp"
#include "directory/directory.hpp"
#include "gate/callers.hpp"
#include "gate/decide_route.hpp"
#include "gate/decider.hpp"
#include "gate/exchange.hpp"
#include "gate/signing_keys.hpp"
#include "http/router.hpp"
#include "pg/pool.hpp"

#include <optional>
#include <span>
#include <string>

namespace rollcall::cli {

class Gating {
public:
    struct Neighbours {  // all must outlive the gate
        const Config& config;
        const GateConfig& gate;
        Random& random;
        MetricsRegistry& metrics;
        pg::Pool& pool;  // for what is no caller's wait
    };

    // `fetch` is empty where Clerk cannot be asked.
    Gating(Executor executor, Neighbours neighbours, gate::Provisioning::Fetch fetch);
    Gating(const Gating&) = delete;
    Gating& operator=(const Gating&) = delete;

    // Where this process has the role gate.
    void add_routes(http::Router& router);
    // With the reverse proxy's listener, where there is one.
    Result<void> start();
    // The schema is there: reads the keys that tokens are signed with, so that they are known
    // before anybody is told that this process is ready.
    Task<> prepare();
    // What follows of it. Until then who a caller is cannot be found out.
    void open(const directory::Directory& directory);

    // Takes the policy.
    void reload(const GateConfig& gate);

    [[nodiscard]] std::string status() const;  // JSON

    // No more requests through the reverse proxy; those under way have so long.
    Task<> drain(Duration limit);
    // True when the last question has been answered within `limit`.
    Task<bool> stop(Duration limit);
    Task<> disconnect();

private:
    Task<directory::StandingsRead> read(std::span<const directory::StandingAsked> asked,
                                        bool with_sync_age);
    Task<clerk::TokenVerdict> verify_for_exchange(std::string token);
    void take(const GateConfig& gate);
    void fetch_keys();

    const Config& config_;
    const GateConfig& gate_;
    Random& random_;
    const directory::Directory* directory_ = nullptr;
    pg::Pool pool_;
    clerk::KeySet keys_;
    gate::Callers callers_;
    gate::Decider decider_;
    std::optional<Proxying> proxying_;
    gate::SigningKeys signing_keys_;
    std::optional<crypto::SigningKey> shared_key_;  // with the secret of the Supabase project
    gate::Exchange exchange_;
    bool stopping_ = false;
    std::string policy_file_;
    SystemTime policy_since_;
    prometheus::Gauge& rules_;
};

}  // namespace rollcall::cli
