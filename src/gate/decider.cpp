#include "gate/decider.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "jobs/work_loop.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::gate {
namespace {

void deny(Verdict& verdict, std::string_view reason, std::string_view detail) {
    verdict.answer = Answer::forbidden;
    verdict.reason = reason;
    verdict.detail = detail;
}

void refuse_target(Verdict& verdict, const Unforwarded& why) {
    if (why.fault == ForwardedFault::untrusted_proxy) {
        return deny(verdict, reason_untrusted_proxy, "who asks is not in gate.trusted_proxies");
    }
    deny(verdict, reason_bad_target, why.target ? to_string(*why.target) : to_string(why.fault));
}

// Without keys nobody can tell whether the token is good, which is not the client's fault.
void refuse_token(Verdict& verdict, const clerk::TokenRefusal& why) {
    verdict.answer = why.reason == clerk::TokenReason::jwks_unavailable ? Answer::forbidden
                                                                        : Answer::unauthenticated;
    verdict.reason = clerk::to_string(why.reason);
    verdict.detail = why.detail;
}

void refuse_carrier(Verdict& verdict, CarrierFault fault) {
    const bool missing = fault == CarrierFault::none || fault == CarrierFault::cross_site;
    verdict.answer = Answer::unauthenticated;
    verdict.token_shown = !missing;
    verdict.reason = clerk::to_string(missing ? clerk::TokenReason::missing_token
                                              : clerk::TokenReason::malformed);
    verdict.detail = describe(fault);
}

void refuse_standing(Verdict& verdict, StandingRefusal refusal) {
    // RFC 6750, section 3.1: a revoked token is an invalid one.
    if (refusal == StandingRefusal::session_revoked) verdict.answer = Answer::unauthenticated;
    verdict.reason = to_string(refusal);
    verdict.detail = "who the caller is does not suffice here";
}

// What stands in a header field, to be read in one way only.
bool is_sayable(std::string_view value) {
    const bool visible =
        std::ranges::all_of(value, [](char byte) { return byte >= 0x20 && byte < 0x7F; });
    return visible && !value.starts_with(' ') && !value.ends_with(' ');
}

bool is_sayable(const Identity& identity) {
    return is_sayable(identity.user_id) && is_sayable(identity.subject) &&
           is_sayable(identity.session) && is_sayable(identity.organization) &&
           is_sayable(identity.role);
}

Demand demand_of(const Decision& decision) {
    return {
        .admin = decision.access == Access::admin,
        .max_staleness = decision.rule ? decision.rule->max_staleness : std::optional<Duration>{}};
}

void allow(Verdict& verdict) {
    verdict.answer = Answer::allow;
    verdict.reason = reason_ok;
    verdict.detail = {};
}

}  // namespace

Decider::Decider(DeciderConfig config, Sources sources, std::shared_ptr<const Policy> policy,
                 const Clock& clock, MetricsRegistry& registry)
    : config_(std::move(config)),
      sources_(std::move(sources)),
      policy_(std::move(policy)),
      clock_(clock),
      metrics_(registry),
      tokens_(config_.tokens_max) {}

void Decider::use(std::shared_ptr<const Policy> policy) {
    policy_ = std::move(policy);
}

Task<Verdict> Decider::decide(std::string_view peer, const http::Fields& headers) {
    return decide_on(
        [this, peer, &headers] { return forwarded_target(peer, headers, config_.trusted_proxies); },
        headers);
}

Task<Verdict> Decider::decide(const http::Request& request) {
    const auto target_of = [&request]() -> Asked {
        const auto host = request.headers.get("Host").value_or("");
        auto target = canonical_target(request.method, host, request.target);
        if (target) return *std::move(target);
        return std::unexpected(
            Unforwarded{.fault = ForwardedFault::bad_target, .target = target.error()});
    };
    return decide_on(target_of, request.headers);
}

// Nothing is done outside judge(), whose failure is a denial.
Task<Verdict> Decider::decide_on(TargetOf target_of, const http::Fields& headers) {
    const SteadyTime began = clock_.steady();
    Verdict verdict;
    Cached cached = Cached::none;
    const auto judged = co_await jobs::caught(judge(target_of, headers, verdict, cached));
    if (!judged) {
        log::error("gate_decision_failed", {{"reason", judged.error().message}});
        deny(verdict, reason_policy_error, "the decision failed");
    }
    if (verdict.answer != Answer::allow) verdict.identity = {};
    metrics_.decided(verdict, cached, clock_.steady() - began);
    metrics_.remembered(tokens_.size(), tokens_.evicted());
    co_return verdict;
}

Task<> Decider::judge(const TargetOf& target_of, const http::Fields& headers, Verdict& verdict,
                      Cached& cached) {
    failpoint("decide.before_target");
    const Asked target = target_of();
    if (!target) {
        refuse_target(verdict, target.error());
        co_return;
    }
    failpoint("decide.before_rule");
    const auto policy = policy_;  // whose rules the decision refers to
    const Decision decision = policy->decide(*target);
    verdict.access = decision.access;
    verdict.rule = decision.id();
    verdict.path = target->path;
    if (decision.access == Access::public_) {
        allow(verdict);
        co_return;
    }
    if (decision.access != Access::protected_ && decision.access != Access::admin) {
        deny(verdict, reason_no_rule, "no rule allows it");
        co_return;
    }
    failpoint("decide.before_token");
    const auto token = presented_token(headers, target->method, config_.carrier);
    if (!token) {
        refuse_carrier(verdict, token.error());
        co_return;
    }
    verdict.token_shown = true;
    const auto hash = crypto::sha256(*token);
    auto claims = remembered(hash);
    cached = claims ? Cached::hit : Cached::miss;
    if (!claims) claims = co_await verified(*token, hash);
    if (!*claims) {
        refuse_token(verdict, claims->error());
        co_return;
    }
    failpoint("decide.before_caller");
    const clerk::SessionClaims& known = ***claims;
    const auto caller = co_await sources_.find(known.subject, known.session_id);
    if (!caller) {
        deny(verdict, reason_policy_error, "who the caller is cannot be found out now");
        co_return;
    }
    judge_caller(known, *caller, decision, verdict);
}

// A token that is remembered is judged again in all but its signature.
std::optional<Decider::Claims> Decider::remembered(const crypto::Sha256& hash) {
    failpoint("decide.before_memory");
    const auto generation = sources_.key_generation();
    if (!generation) return std::nullopt;
    const SystemTime now = clock_.now();
    auto known = tokens_.find(hash, *generation, now);
    if (known == nullptr) return std::nullopt;
    if (auto good = clerk::judge(*known, config_.token, now); !good) {
        return std::unexpected(good.error());
    }
    return known;
}

Task<Decider::Claims> Decider::verified(std::string_view token, const crypto::Sha256& hash) {
    const auto generation = sources_.key_generation();
    auto verified = co_await sources_.verify(std::string(token));
    failpoint("decide.before_keep");
    if (!verified) co_return std::unexpected(std::move(verified).error());
    auto claims = std::make_shared<const clerk::SessionClaims>(*std::move(verified));
    // It may have been verified by other keys than those that were there before.
    if (generation && sources_.key_generation() == generation) {
        tokens_.keep(hash, *generation, claims, clock_.now());
    }
    co_return claims;
}

void Decider::judge_caller(const clerk::SessionClaims& claims, const Caller& caller,
                           const Decision& decision, Verdict& verdict) {
    failpoint("decide.before_standing");
    if (const auto refusal = judge_standing(caller, demand_of(decision))) {
        return refuse_standing(verdict, *refusal);
    }
    failpoint("decide.before_identity");
    verdict.identity = {.user_id = caller.standing.user_id,
                        .subject = claims.subject,
                        .session = claims.session_id,
                        .organization = claims.organization ? claims.organization->id : "",
                        .role = caller.standing.role};
    if (!is_sayable(verdict.identity)) {
        return deny(verdict, reason_policy_error,
                    "the caller's data does not fit into a header field");
    }
    allow(verdict);
}

}  // namespace rollcall::gate
