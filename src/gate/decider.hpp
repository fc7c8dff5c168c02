// Whether a request may reach the application. One order for all: proxy and target, rule, token,
// claims, standing, access; a public rule allows before any token is looked at. Only what every
// step has allowed is allowed; whatever goes wrong on the way is a denial with a stable reason
// (docs/gate.md). Everything it asks is passed in: keys, callers, time. One event loop.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "clerk/session_token.hpp"
#include "gate/decision_metrics.hpp"
#include "gate/forwarded.hpp"
#include "gate/presented_token.hpp"
#include "gate/standing_verdict.hpp"
#include "gate/token_cache.hpp"
#include "gate/verdict.hpp"
#include "http/client_address.hpp"
#include "http/message.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::gate {

struct DeciderConfig {
    http::TrustedProxies trusted_proxies;  // who may ask
    CarrierRules carrier;
    clerk::TokenRules token;
    std::size_t tokens_max = token_cache_entries_max;
};

class Decider {
public:
    // What it asks; none of these throws in use, and if one does the decision is a denial.
    struct Sources {
        std::function<std::optional<std::uint64_t>()> key_generation;  // clerk::KeySet::generation
        std::function<Task<clerk::TokenVerdict>(std::string token)>
            verify;  // clerk::KeySet::verify
        // Callers::known and Callers::find.
        std::function<std::optional<Caller>(std::string_view clerk_id, std::string_view session_id,
                                            SteadyTime now)>
            known;
        std::function<Task<Result<Caller>>(std::string clerk_id, std::string session_id)> find;
    };

    // `clock` and `registry` must outlive this.
    Decider(DeciderConfig config, Sources sources, std::shared_ptr<const Policy> policy,
            const Clock& clock, MetricsRegistry& registry);
    Decider(const Decider&) = delete;
    Decider& operator=(const Decider&) = delete;

    // `peer` is who asks, `headers` what they say of the request. Both must outlive the task.
    Task<Verdict> decide(std::string_view peer, const http::Fields& headers);
    // Of a request that came here itself; it must outlive the task.
    Task<Verdict> decide(const http::Request& request);

    // From the next decision on; those under way end by the policy that they began with.
    void use(std::shared_ptr<const Policy> policy);

    [[nodiscard]] const Policy& policy() const { return *policy_; }
    [[nodiscard]] std::size_t tokens() const { return tokens_.size(); }

private:
    using Cached = DecisionMetrics::Cached;

    // What a proxy asks about, or, where there is `own`, a request that came here itself.
    struct Question {
        std::string_view peer;
        const http::Fields& headers;
        const http::Request* own = nullptr;
    };
    std::expected<Target, Unforwarded> target_of(const Question& question);
    bool trusts(std::string_view peer);
    // A request of which the caller matters.
    struct Admitted {
        std::shared_ptr<const Policy> policy;  // whose rules the decision refers to
        Decision decision;
        std::string_view token;
    };
    Task<Verdict> decide(Question question);
    // Proxy and target, rule, and where the token is. Nothing: the verdict is complete.
    std::optional<Admitted> admit(const Question& question, Verdict& verdict);
    using Claims = std::expected<TokenCache::Claims, clerk::TokenRefusal>;
    std::optional<Claims> remembered(const crypto::Sha256& hash);
    Task<Claims> verified(std::string_view token, const crypto::Sha256& hash);
    static void judge_caller(const clerk::SessionClaims& claims, Result<Caller> caller,
                             const Decision& decision, Verdict& verdict);

    DeciderConfig config_;
    Sources sources_;
    std::shared_ptr<const Policy> policy_;
    const Clock& clock_;
    DecisionMetrics metrics_;
    TokenCache tokens_;
    std::string last_peer_;  // most of who asks is one proxy
    bool last_peer_trusted_ = false;
};

}  // namespace rollcall::gate
