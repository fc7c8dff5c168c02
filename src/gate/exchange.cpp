#include "gate/exchange.hpp"

#include "base/failpoint.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "clerk/token_reason.hpp"
#include "crypto/digest.hpp"
#include "jobs/work_loop.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace rollcall::gate {
namespace {

constexpr std::string_view reason_issued = "ok";
constexpr std::string_view reason_unavailable = "unavailable";
constexpr std::array<std::string_view, 4> request_errors{
    "invalid_request", "invalid_scope", "invalid_target", "unsupported_grant_type"};

// A key is published for an hour before it signs and after (SigningKeysConfig).
constexpr std::string_view jwks_cached_for = "public, max-age=300";

Uuid fresh_id(SystemTime now) {
    const std::string random = crypto::random_bytes(sizeof(Uuid::bytes));
    Uuid bits{};
    std::ranges::copy(random, std::begin(bits.bytes));
    return uuid_v7(now.time_since_epoch().count(), bits);
}

http::Response uncached(unsigned status, std::string body) {
    auto response = http::Response::json(status, std::move(body));
    response.headers.set("Cache-Control", "no-store");  // RFC 6749, section 5.1
    response.headers.set("Pragma", "no-cache");
    if (status == 503) response.headers.set("Retry-After", "1");
    return response;
}

}  // namespace

Exchange::Exchange(ExchangeConfig config, Sources sources, const Clock& clock,
                   MetricsRegistry& registry)
    : config_(std::move(config)),
      sources_(std::move(sources)),
      clock_(clock),
      outcomes_(registry.counter("rollcall_gate_exchanges_total",
                                 "Tokens that were asked for, by what became of it.")) {
    const auto add = [this](std::string_view reason) {
        outcomes_.Add({{"reason", std::string(reason)}});
    };
    add(reason_issued);
    add(reason_unavailable);
    for (const std::string_view error : request_errors) add(error);
    for (std::size_t i = 0; i < clerk::token_reasons; ++i) {
        add(clerk::to_string(static_cast<clerk::TokenReason>(i)));
    }
    for (const auto refusal : {StandingRefusal::user_deleted, StandingRefusal::user_unknown,
                               StandingRefusal::session_revoked, StandingRefusal::user_banned}) {
        add(to_string(refusal));
    }
}

void Exchange::add_routes(http::Router& router) {
    router.add({"POST"}, "/oauth/token", [this](http::Request& request) -> Task<http::Response> {
        co_return co_await answer(request);
    });
    router.add({"GET"}, "/.well-known/jwks.json", [this](http::Request&) -> Task<http::Response> {
        std::string keys = sources_.jwks();
        if (keys.empty()) co_return uncached(503, R"({"error":"There are no keys yet"})");
        auto response = http::Response::json(200, std::move(keys));
        response.headers.set("Cache-Control", jwks_cached_for);
        co_return response;
    });
}

Exchange::Refusal Exchange::later(std::string_view detail) {
    return {.status = 503,
            .error = "temporarily_unavailable",
            .reason = reason_unavailable,
            .detail = detail};
}

// RFC 8693, section 2.2.2: a subject token that is no good is an invalid request.
Exchange::Refusal Exchange::subject_refused(std::string_view reason) {
    return {.status = 400, .error = "invalid_request", .reason = reason, .detail = reason};
}

Task<std::expected<directory::Standing, Exchange::Refusal>> Exchange::standing_of(
    const clerk::SessionClaims& subject) {
    failpoint("exchange.before_caller");
    auto caller = co_await sources_.find(subject.subject, subject.session_id);
    // A token outlives the decision, so what the database said before does not suffice.
    if (!caller || !caller->confirmed) {
        co_return std::unexpected(later("who the caller is cannot be found out now"));
    }
    failpoint("exchange.before_standing");
    const auto refusal = judge_standing(*caller, {.admin = false, .max_staleness = std::nullopt});
    if (refusal == StandingRefusal::policy_error) {
        co_return std::unexpected(later("who the caller is cannot be judged now"));
    }
    if (refusal) co_return std::unexpected(subject_refused(to_string(*refusal)));
    co_return std::move(caller->standing);
}

Task<Exchange::Issued> Exchange::issue(const http::Request& request) {
    failpoint("exchange.before_request");
    auto asked = read_exchange(request, config_.audiences);
    if (!asked) {
        const OAuthError& why = asked.error();
        co_return std::unexpected(Refusal{400, why.error, why.error, why.description});
    }
    failpoint("exchange.before_subject");
    const auto subject = co_await sources_.verify(std::move(asked->subject_token));
    if (!subject) {
        const auto reason = subject.error().reason;
        if (reason == clerk::TokenReason::jwks_unavailable) {
            co_return std::unexpected(later("there are no keys to verify with"));
        }
        co_return std::unexpected(subject_refused(clerk::to_string(reason)));
    }
    const auto standing = co_await standing_of(*subject);
    if (!standing) co_return std::unexpected(standing.error());
    failpoint("exchange.before_claims");
    const auto now = clock_.now();
    const auto claims =
        issued_claims(*subject, *standing, asked->audience, config_.issue, now, fresh_id(now));
    if (!claims) {
        co_return std::unexpected(subject_refused(clerk::to_string(clerk::TokenReason::expired)));
    }
    failpoint("exchange.before_key");
    const auto* const key = sources_.signing_key();
    if (key == nullptr) co_return std::unexpected(later("there is no key to sign with"));
    failpoint("exchange.before_signature");
    std::string body = fmt::format(
        R"({{"access_token":"{}","issued_token_type":"{}","token_type":"Bearer","expires_in":{}}})",
        key->issue(claims->payload), asked->issued_token_type, claims->expires_in.count());
    failpoint("exchange.before_answer");
    co_return body;
}

http::Response Exchange::to_response(const Refusal& refusal) const {
    std::string body = fmt::format(R"({{"error":"{}")", refusal.error);
    // What is wrong with the request is no secret; what is wrong with the token may be.
    if (config_.verbose || refusal.detail != refusal.reason) {
        body += fmt::format(R"(,"error_description":"{}")", refusal.detail);
    }
    return uncached(refusal.status, body + "}");
}

// `issued` is complete, or as it was.
Task<> Exchange::issue_into(const http::Request& request, Issued& issued) {
    issued = co_await issue(request);
}

Task<http::Response> Exchange::answer(const http::Request& request) {
    Issued issued = std::unexpected(later("the exchange failed"));
    const auto done = co_await jobs::caught(issue_into(request, issued));
    if (!done) log::error("token_exchange_failed", {{"reason", done.error().message}});
    const std::string_view reason = issued ? reason_issued : issued.error().reason;
    outcomes_.Add({{"reason", std::string(reason)}}).Increment();
    if (issued) co_return uncached(200, *std::move(issued));
    if (log::enabled(log::Level::debug)) {
        log::debug("token_not_issued", {{"reason", reason}, {"request_id", request.request_id}});
    }
    co_return to_response(issued.error());
}

}  // namespace rollcall::gate
