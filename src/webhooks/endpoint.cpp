#include "webhooks/endpoint.hpp"

#include "base/failpoint.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/trace.hpp"
#include "clerk/event.hpp"
#include "crypto/trace_of.hpp"
#include "jobs/job.hpp"
#include "webhooks/event_job.hpp"
#include "webhooks/metrics.hpp"
#include "webhooks/repeats.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace rollcall::webhooks {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t lines_per_minute = 10;
constexpr std::string_view retry_after = "5";  // seconds; Svix waits at least as long
constexpr std::size_t logged_type_bytes_max = 64;

http::Response failure(unsigned status, std::string_view text) {
    return http::Response::json(status, R"({"error":")" + std::string(text) + R"("})");
}

http::Response away() {
    http::Response response = failure(503, "Service unavailable");
    response.headers.add("Retry-After", retry_after);
    return response;
}

std::string_view message_of(std::string_view kind, bool for_review) {
    if (for_review) return "Event kept for review";
    if (kind == jobs::self_test) return "Self-test job queued";
    if (kind == jobs::revoke_session) return "Session revocation job queued";
    if (kind == jobs::user_created) return "User creation job queued";
    if (kind == jobs::user_updated) return "User update job queued";
    return "User deletion job queued";
}

http::Response accepted(std::string_view kind, const Stored& stored) {
    std::string body = R"({"success":true,"message":")";
    body += message_of(kind, stored.for_review);
    body += R"(","jobId":")";
    body += stored.job_id;
    body += stored.duplicate ? R"(","duplicate":true})" : R"("})";
    return http::Response::json(202, std::move(body));
}

// application/json, whatever its parameters; none at all counts as it.
bool is_json(const http::Fields& headers) {
    if (headers.count("Content-Type") > 1) return false;
    std::string_view type = headers.get("Content-Type").value_or("");
    type = type.substr(0, type.find(';'));
    while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
    return type.empty() || http::same_name(type, "application/json");
}

// What the request brought, if that is one valid field; else nothing.
std::optional<TraceContext> brought_trace(const http::Request& request) {
    if (request.headers.count("traceparent") != 1) return std::nullopt;
    return parse_traceparent(*request.headers.get("traceparent"));
}

std::string trace_id_of(const http::Request& request, std::string_view svix_id) {
    return brought_trace(request).value_or(crypto::trace_of(svix_id)).trace_id();
}

Outcome outcome_of(Refusal refusal) {
    return refusal == Refusal::stale_timestamp || refusal == Refusal::future_timestamp
               ? Outcome::stale_timestamp
               : Outcome::bad_signature;
}

// What the record of deliveries calls it.
std::string_view recorded_as(Outcome outcome) {
    switch (outcome) {
        case Outcome::enqueued:
        case Outcome::spooled:
            return "stored";
        case Outcome::duplicate:
            return "duplicate";
        case Outcome::ignored:
            return "ignored";
        case Outcome::malformed:
            return "review";
        case Outcome::unavailable:
            return "unavailable";
        case Outcome::bad_signature:
        case Outcome::stale_timestamp:
        case Outcome::too_large:
        case Outcome::unsupported_type:
        case Outcome::rate_limited:
            break;
    }
    return "refused";
}

}  // namespace

struct Endpoint::State {
    State(const WebhookConfig& given_config, SigningSecrets given_secrets, RoleRules given_roles,
          Neighbours given)
        : config(given_config),
          secrets(std::move(given_secrets)),
          roles(std::move(given_roles)),
          to(given),
          metrics(given.metrics),
          overall(http::limiter(config.deliveries_per_second, config.deliveries_burst, 1)) {}

    http::Response refuse(const http::Request& request, std::string_view svix_id, Outcome outcome,
                          std::string_view reason, http::Response response);
    http::Response refuse_limited(const http::Request& request, std::string_view svix_id,
                                  http::Response response);
    http::Response refuse_unread(const http::Request& request, std::string_view svix_id,
                                 Outcome outcome, std::string_view reason, http::Response response);
    http::Response refuse_unverified(const http::Request& request, std::string_view svix_id,
                                     Refusal refusal);
    Task<Result<Stored>> store(http::Request& request, EventJob job, SystemTime sent_at,
                               SystemTime now);
    Task<http::Response> take(http::Request& request, const DeliveryHeaders& headers,
                              Verified verified, SystemTime now);

    const WebhookConfig config;
    SigningSecrets secrets;
    RoleRules roles;
    Neighbours to;
    Metrics metrics;
    clerk::EventParser parser;
    std::optional<http::RateLimiter> overall;  // of what verifies
    Repeats repeats{lines_per_minute};
};

namespace {

// Counts a verified delivery once, at the end of its scope. Until something better is known it was
// `unavailable`: so an exception of the store counts as that.
class Receipt {
public:
    Receipt(Metrics& metrics, DeliveryLog& log, std::string_view svix_id, std::string_view type)
        : metrics_(metrics), log_(log), svix_id_(svix_id), type_(type) {}
    ~Receipt() {
        metrics_.received(type_label(type_), outcome_);
        log_.note({.outcome = recorded_as(outcome_),
                   .reason = {},
                   .event_type = type_,
                   .svix_id = svix_id_,
                   .client_address = {}});
    }
    Receipt(const Receipt&) = delete;
    Receipt& operator=(const Receipt&) = delete;

    void ended(Outcome outcome) { outcome_ = outcome; }

private:
    Metrics& metrics_;
    DeliveryLog& log_;
    std::string_view svix_id_;
    std::string_view type_;
    Outcome outcome_ = Outcome::unavailable;
};

}  // namespace

http::Response Endpoint::State::refuse(const http::Request& request, std::string_view svix_id,
                                       Outcome outcome, std::string_view reason,
                                       http::Response response) {
    metrics.received(TypeLabel::none, outcome);
    metrics.refused(reason);
    to.deliveries.note({.outcome = recorded_as(outcome),
                        .reason = reason,
                        .event_type = {},
                        .svix_id = svix_id,
                        .client_address = request.client_address});
    if (const auto left_out = repeats.admit(reason, to.clock.steady())) {
        log::warn("webhook_refused", {{"reason", reason},
                                      {"network", network_of(request.client_address)},
                                      {"svix_id", svix_id.substr(0, id_bytes_max)},
                                      {"request_id", request.request_id},
                                      {"trace_id", trace_id_of(request, svix_id)},
                                      {"not_logged_before", *left_out}});
    }
    return response;
}

http::Response Endpoint::State::refuse_limited(const http::Request& request,
                                               std::string_view svix_id, http::Response response) {
    return refuse(request, svix_id, Outcome::rate_limited, "rate_limited", std::move(response));
}

// Before it comes to a signature.
http::Response Endpoint::State::refuse_unread(const http::Request& request,
                                              std::string_view svix_id, Outcome outcome,
                                              std::string_view reason, http::Response response) {
    if (auto limited = to.guard.stray()) {
        return refuse_limited(request, svix_id, *std::move(limited));
    }
    return refuse(request, svix_id, outcome, reason, std::move(response));
}

// All the same to the sender. Only these count against an address: what verifies is never slowed by
// what others send from the same place.
http::Response Endpoint::State::refuse_unverified(const http::Request& request,
                                                  std::string_view svix_id, Refusal refusal) {
    if (auto limited = to.guard.failed(request.client_address)) {
        return refuse_limited(request, svix_id, *std::move(limited));
    }
    return refuse(request, svix_id, outcome_of(refusal), to_string(refusal),
                  failure(401, "Invalid signature"));
}

// Takes the body out of the request.
Task<Result<Stored>> Endpoint::State::store(http::Request& request, EventJob job,
                                            SystemTime sent_at, SystemTime now) {
    if (to.spooling == nullptr) {
        job.original_event = storable(std::move(request.body));
        co_return co_await to.intake.store(std::move(job));
    }
    SpooledEvent delivery{.job_id = job.id,
                          .svix_id = job.event_id,
                          .sent_at = sent_at,
                          .received_at = now,
                          .traceparent = job.trace,
                          .body = request.body};
    job.original_event = storable(std::move(request.body));
    co_return co_await to.spooling->store(std::move(job), std::move(delivery));
}

// A delivery that is what it says.
Task<http::Response> Endpoint::State::take(http::Request& request, const DeliveryHeaders& headers,
                                           Verified verified, SystemTime now) {
    const clerk::Event event = parser.parse(request.body);
    Receipt receipt(metrics, to.deliveries, headers.id, event.type);
    auto job = job_of(event, verified.sent_at, roles);
    if (!job) {
        receipt.ended(Outcome::ignored);
        co_return http::Response::json(200,
                                       R"({"success":true,"message":"Event type not handled"})");
    }
    job->id = uuid_v7(now.time_since_epoch().count(), to.random);
    job->event_id = headers.id;
    if (const auto trace = brought_trace(request)) job->trace = trace->to_header();

    const std::string_view kind = job->kind;
    const auto stored = co_await store(request, *std::move(job), verified.sent_at, now);
    if (!stored) {
        if (repeats.admit("unavailable", to.clock.steady())) {
            log::warn("webhook_unavailable", {{"reason", stored.error().message}});
        }
        co_return away();
    }
    receipt.ended(stored->duplicate    ? Outcome::duplicate
                  : stored->spooled    ? Outcome::spooled
                  : stored->for_review ? Outcome::malformed
                                       : Outcome::enqueued);
    if (!stored->duplicate && !stored->spooled) {
        const std::chrono::duration<double> lag = to.clock.now() - verified.sent_at;
        metrics.stored_after(type_label(event.type), lag.count());
    }
    if (log::enabled(log::Level::debug)) {
        log::debug("webhook_accepted",
                   {{"svix_id", headers.id},
                    {"event_type", std::string_view(event.type).substr(0, logged_type_bytes_max)},
                    {"job_id", stored->job_id},
                    {"duplicate", stored->duplicate},
                    {"for_review", stored->for_review},
                    {"request_id", request.request_id},
                    {"trace_id", trace_id_of(request, headers.id)}});
    }
    co_return accepted(kind, *stored);
}

Endpoint::Endpoint(const WebhookConfig& config, SigningSecrets secrets, RoleRules roles,
                   Neighbours neighbours)
    : state_(std::make_unique<State>(config, std::move(secrets), std::move(roles), neighbours)) {}

Endpoint::~Endpoint() = default;

void Endpoint::add_routes(http::Router& router) {
    for (const char* path : {"/webhooks/clerk", "/api/webhooks/clerk"}) {
        router.add({"POST"}, path, [this](http::Request& request) { return handle(request); });
    }
}

Task<http::Response> Endpoint::handle(http::Request& request) {
    State& state = *state_;
    const DeliveryHeaders headers = delivery_headers(request.headers);
    if (!is_json(request.headers)) {
        co_return state.refuse_unread(request, headers.id, Outcome::unsupported_type,
                                      "unsupported_type", failure(415, "Unsupported Media Type"));
    }
    if (request.body.size() > state.config.body_bytes_max) {
        co_return state.refuse_unread(request, headers.id, Outcome::too_large, "too_large",
                                      failure(413, "Content Too Large"));
    }
    const SystemTime now = state.to.clock.now();
    const auto verified = verify(state.secrets, headers, request.body, now);
    if (!verified) co_return state.refuse_unverified(request, headers.id, verified.error());
    state.metrics.verified(verified->slot, now);
    failpoint("webhook.verified");
    if (state.overall) {
        const milliseconds wait = state.overall->take("", state.to.clock.steady());
        if (wait > milliseconds::zero()) {
            co_return state.refuse_limited(request, headers.id, http::too_many_requests(wait));
        }
    }
    co_return co_await state.take(request, headers, *verified, now);
}

void Endpoint::use(SigningSecrets secrets, RoleRules roles) {
    state_->secrets = std::move(secrets);
    state_->roles = std::move(roles);
}

}  // namespace rollcall::webhooks
