#include "gate/decider.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "jobs/reason.hpp"

#include <exception>
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
    unsigned bad = 0;  // no early end: these are looked at many at once
    for (const char c : value) {
        const auto byte = static_cast<std::uint8_t>(c);
        bad |= static_cast<unsigned>(byte < 0x20 || byte >= 0x7F);
    }
    return bad == 0 && !value.starts_with(' ') && !value.ends_with(' ');
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
    return decide(Question{.peer = peer, .headers = headers});
}

Task<Verdict> Decider::decide(const http::Request& request) {
    return decide(
        Question{.peer = request.remote_address, .headers = request.headers, .own = &request});
}

// Nothing that fails here is anything but a denial.
Task<Verdict> Decider::decide(Question question) {
    const SteadyTime began = clock_.steady();
    Verdict verdict;
    Cached cached = Cached::none;
    try {
        if (const auto admitted = admit(question, verdict)) {
            const auto hash = crypto::sha256(admitted->token);
            auto claims = remembered(hash);
            cached = claims ? Cached::hit : Cached::miss;
            if (!claims) claims = co_await verified(admitted->token, hash);
            if (*claims) {
                failpoint("decide.before_caller");
                const clerk::SessionClaims& who = ***claims;
                // Where nothing was waited for it is still as early.
                const SteadyTime now = cached == Cached::hit ? began : clock_.steady();
                Result<Caller> caller = Caller{};
                if (auto known = sources_.known(who.subject, who.session_id, now)) {
                    caller = *std::move(known);
                } else {
                    caller = co_await sources_.find(who.subject, who.session_id);
                }
                judge_caller(who, std::move(caller), admitted->decision, verdict);
            } else {
                refuse_token(verdict, claims->error());
            }
        }
    } catch (const std::exception& failure) {
        log::error("gate_decision_failed", {{"reason", jobs::reason_of(failure)}});
        deny(verdict, reason_policy_error, "the decision failed");
    }
    if (verdict.answer != Answer::allow) verdict.identity = {};
    metrics_.decided(verdict, cached, clock_.steady() - began);
    metrics_.remembered(tokens_.size(), tokens_.evicted());
    co_return verdict;
}

std::expected<Target, Unforwarded> Decider::target_of(const Question& question) {
    if (question.own == nullptr) {
        if (trusts(question.peer)) return forwarded_target(question.headers);
        return std::unexpected(Unforwarded{ForwardedFault::untrusted_proxy});
    }
    const auto host = question.headers.get("Host").value_or("");
    auto target = canonical_target(question.own->method, host, question.own->target);
    if (target) return *std::move(target);
    return std::unexpected(
        Unforwarded{.fault = ForwardedFault::bad_target, .target = target.error()});
}

bool Decider::trusts(std::string_view peer) {
    if (peer != last_peer_) {
        last_peer_trusted_ = false;  // should one of these fail
        last_peer_ = peer;
        last_peer_trusted_ = config_.trusted_proxies.contains(peer);
    }
    return last_peer_trusted_;
}

std::optional<Decider::Admitted> Decider::admit(const Question& question, Verdict& verdict) {
    failpoint("decide.before_target");
    auto target = target_of(question);
    if (!target) {
        refuse_target(verdict, target.error());
        return std::nullopt;
    }
    failpoint("decide.before_rule");
    Admitted admitted{.policy = policy_, .decision = policy_->decide(*target), .token = {}};
    const Access access = admitted.decision.access;
    verdict.access = access;
    verdict.rule = admitted.decision.id();
    verdict.path = std::move(target->path);
    if (access == Access::public_) {
        allow(verdict);
        return std::nullopt;
    }
    if (access != Access::protected_ && access != Access::admin) {
        deny(verdict, reason_no_rule, "no rule allows it");
        return std::nullopt;
    }
    failpoint("decide.before_token");
    const auto token = presented_token(question.headers, target->method, config_.carrier);
    if (!token) {
        refuse_carrier(verdict, token.error());
        return std::nullopt;
    }
    verdict.token_shown = true;
    admitted.token = *token;
    return admitted;
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

void Decider::judge_caller(const clerk::SessionClaims& claims, Result<Caller> caller,
                           const Decision& decision, Verdict& verdict) {
    if (!caller) {
        return deny(verdict, reason_policy_error, "who the caller is cannot be found out now");
    }
    failpoint("decide.before_standing");
    if (const auto refusal = judge_standing(*caller, demand_of(decision))) {
        return refuse_standing(verdict, *refusal);
    }
    failpoint("decide.before_identity");
    verdict.identity = {.user_id = std::move(caller->standing.user_id),
                        .subject = claims.subject,
                        .session = claims.session_id,
                        .organization = claims.organization ? claims.organization->id : "",
                        .role = std::move(caller->standing.role)};
    if (!is_sayable(verdict.identity)) {
        return deny(verdict, reason_policy_error,
                    "the caller's data does not fit into a header field");
    }
    allow(verdict);
}

}  // namespace rollcall::gate
