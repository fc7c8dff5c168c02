#include "clerk/key_set.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "base/timeout.hpp"
#include "base/wakeup.hpp"
#include "clerk/api_channel.hpp"
#include "crypto/digest.hpp"
#include "http/client.hpp"

#include <algorithm>
#include <array>
#include <list>
#include <optional>
#include <utility>

namespace rollcall::clerk {
namespace {

constexpr std::array<std::string_view, 3> triggers{"start", "timer", "kid_miss"};
constexpr std::array<std::string_view, 3> results{"ok", "failed", "refused"};

enum class Trigger : std::uint8_t { start, timer, kid_miss };
enum class Outcome : std::uint8_t { ok, failed, refused };

// Open for less than KeySchedule waits between requests at least: the circuit tells how the
// publisher is, and the schedule spares it.
http::BreakerConfig breaker_of_keys() {
    return {.failures_max = 5,
            .open_min = std::chrono::milliseconds(500),
            .open_max = std::chrono::milliseconds(900)};
}

double seconds_of(SystemTime time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
}

// Figures of one key set.
class Figures {
public:
    Figures(const std::string& issuer, MetricsRegistry& metrics)
        : keys_(metrics.gauge("rollcall_jwks_keys", "Keys that session tokens are verified with.")
                    .Add({{"issuer", issuer}})),
          last_success_(metrics
                            .gauge("rollcall_jwks_last_success_timestamp_seconds",
                                   "When the key set was last fetched and taken.")
                            .Add({{"issuer", issuer}})),
          stale_(metrics
                     .gauge("rollcall_jwks_stale",
                            "1 while keys serve beyond their time because none can be fetched.")
                     .Add({{"issuer", issuer}})) {
        auto& refreshes = metrics.counter("rollcall_jwks_refreshes_total",
                                          "Requests for the key set, by why and how they ended.");
        for (std::size_t i = 0; i < triggers.size(); ++i) {
            for (std::size_t k = 0; k < results.size(); ++k) {
                refreshes_[i][k] = &refreshes.Add({{"issuer", issuer},
                                                   {"trigger", std::string(triggers[i])},
                                                   {"result", std::string(results[k])}});
            }
        }
    }

    void have(std::size_t keys) { keys_.Set(static_cast<double>(keys)); }
    void count(Trigger trigger, Outcome outcome) {
        refreshes_[static_cast<std::size_t>(trigger)][static_cast<std::size_t>(outcome)]
            ->Increment();
        if (outcome == Outcome::ok) last_success_.Set(seconds_of(real_clock().now()));
    }
    void note_stale(bool stale) { stale_.Set(stale ? 1 : 0); }

private:
    prometheus::Gauge& keys_;
    prometheus::Gauge& last_success_;
    prometheus::Gauge& stale_;
    std::array<std::array<prometheus::Counter*, results.size()>, triggers.size()> refreshes_{};
};

}  // namespace

http::ClientRequest key_request(const KeySource& source, std::chrono::milliseconds timeout) {
    http::ClientRequest request;
    request.url = source.url;
    request.headers.add("Accept", "application/json");
    if (!source.bearer.empty()) {
        request.headers.add("Authorization", "Bearer " + std::string(source.bearer.reveal()));
        request.headers.add("Clerk-API-Version", api_version);
    }
    request.timeout = timeout;
    return request;
}

// Shared with the loop and with tokens that wait, which may outlive the KeySet for a moment.
struct KeySet::State {
    State(Executor executor, KeySetConfig c, MetricsRegistry& metrics)
        : config(std::move(c)),
          client(executor, {.connections_per_host_max = 1,
                            .body_bytes_max = crypto::JwkSet::bytes_max,
                            .user_agent = config.user_agent}),
          upstream(client,
                   {.name = "jwks", .operations = {"get_jwks"}, .breaker = breaker_of_keys()},
                   metrics),
          schedule(config.schedule, real_clock().steady()),
          figures(config.source.issuer.empty() ? "unknown" : config.source.issuer, metrics),
          wakeup(executor),
          request_end(executor) {}

    Task<> run();
    Task<> refresh();
    Task<http::Attempt> ask();
    Outcome take(const http::Attempt& attempt);
    Outcome problem(Outcome outcome, std::string_view event, std::string_view reason);
    [[nodiscard]] bool usable() const {
        return set && (pinned || schedule.usable(real_clock().steady()));
    }

    KeySetConfig config;
    http::Client client;
    http::Upstream upstream;
    KeySchedule schedule;
    Figures figures;
    Random random;
    Wakeup wakeup;            // of the loop
    SteadyTimer request_end;  // the time limit of the request under way
    std::list<Wakeup*> waiting;
    std::list<Wakeup*> stops;
    std::optional<crypto::JwkSet> set;
    crypto::Sha256 set_digest{};  // of the text that it was read from
    std::uint64_t generation = 0;
    bool pinned = false;
    bool running = false;
    bool stopping = false;
    bool missed = false;       // the next request is for the sake of a kid
    std::string last_problem;  // logged once while it lasts
};

namespace {

// In `list` while this lives.
class Listed {
public:
    Listed(std::list<Wakeup*>& list, Wakeup& wakeup) : list_(list) {
        at_ = list_.insert(list_.end(), &wakeup);
    }
    ~Listed() { list_.erase(at_); }
    Listed(const Listed&) = delete;
    Listed& operator=(const Listed&) = delete;

private:
    std::list<Wakeup*>& list_;
    std::list<Wakeup*>::iterator at_;
};

}  // namespace

Task<http::Attempt> KeySet::State::ask() {
    request_end.expires_after(bounded(config.timeout));
    auto attempt = co_await with_end(
        upstream.send("get_jwks", key_request(config.source, config.timeout)), request_end);
    if (attempt) co_return *std::move(attempt);
    co_return http::Attempt{.failure = stopping ? "stopped" : "no answer in time"};
}

Outcome KeySet::State::problem(Outcome outcome, std::string_view event, std::string_view reason) {
    if (reason != last_problem) {
        last_problem = reason;
        if (outcome == Outcome::refused) {
            log::error(event, {{"reason", reason}, {"serving", usable()}});
        } else {
            log::warn(event, {{"reason", reason}, {"serving", usable()}});
        }
    }
    return outcome;
}

Outcome KeySet::State::take(const http::Attempt& attempt) {
    if (!attempt.response) {
        return problem(Outcome::failed, "jwks_unavailable", attempt.failure);
    }
    if (attempt.response->status != 200) {
        return problem(Outcome::failed, "jwks_unavailable",
                       "status " + std::to_string(attempt.response->status));
    }
    auto fresh = crypto::JwkSet::parse(attempt.response->body);
    if (!fresh) {
        return problem(Outcome::refused, "jwks_refused", crypto::to_string(fresh.error()));
    }
    if (!set || fresh->kids() != set->kids() || !last_problem.empty()) {
        log::info("jwks_taken", {{"keys", fresh->size()}, {"left_out", fresh->left_out().size()}});
    }
    last_problem.clear();
    const auto digest = crypto::sha256(attempt.response->body);
    if (!set || digest != set_digest) ++generation;
    set_digest = digest;
    set.emplace(*std::move(fresh));
    figures.have(set->size());
    return Outcome::ok;
}

Task<> KeySet::State::refresh() {
    const auto trigger =
        !set ? Trigger::start : (std::exchange(missed, false) ? Trigger::kid_miss : Trigger::timer);
    const auto attempt = co_await ask();
    if (stopping) co_return;
    const auto outcome = take(attempt);
    const auto now = real_clock().steady();
    if (outcome == Outcome::ok) {
        const auto control = attempt.response->headers.get("cache-control");
        schedule.succeeded(now, granted_ttl(control.value_or("")), random.fraction());
    } else {
        schedule.failed(now, random.fraction());
    }
    missed = false;
    figures.count(trigger, outcome);
    for (Wakeup* token : waiting) token->wake();
}

Task<> KeySet::State::run() {
    while (!stopping) {
        const auto now = real_clock().steady();
        if (now < schedule.due()) {
            co_await wakeup.wait(schedule.due() - now);
        } else {
            co_await refresh();
        }
    }
    running = false;
    for (Wakeup* stop : stops) stop->wake();
    for (Wakeup* token : waiting) token->wake();
}

KeySet::KeySet(Executor executor, KeySetConfig config, MetricsRegistry& metrics)
    : state_(std::make_shared<State>(executor, std::move(config), metrics)) {
    State& state = *state_;
    if (state.config.source.pinned) {
        state.set = crypto::JwkSet::pinned(*std::move(state.config.source.pinned));
        state.config.source.pinned.reset();
        state.pinned = true;
        state.figures.have(state.set->size());
    }
    metrics.before_render([weak = std::weak_ptr<State>(state_)] {
        const auto known = weak.lock();
        if (!known || known->pinned) return;
        known->figures.note_stale(known->set && known->schedule.stale(real_clock().steady()));
        if (!known->usable()) known->figures.have(0);
    });
}

KeySet::~KeySet() {
    state_->stopping = true;
    state_->wakeup.wake();
    state_->request_end.cancel();
}

void KeySet::start() {
    State& state = *state_;
    if (state.running || state.pinned) return;
    state.running = true;
    state.stopping = false;
    const auto loop = [](std::shared_ptr<State> self) -> Task<> { co_await self->run(); };
    spawn(state.request_end.get_executor(), "jwks", loop(state_));
}

Task<> KeySet::stop() {
    const auto state = state_;
    if (!state->running) co_return;
    state->stopping = true;
    state->wakeup.wake();
    state->request_end.cancel();
    Wakeup ended(state->request_end.get_executor());
    const Listed listed(state->stops, ended);
    while (state->running) co_await ended.wait(state->config.timeout);
}

Task<bool> KeySet::ready() {
    const auto state = state_;
    const bool may_wait = state->running && state->waiting.size() < state->config.waiting_max;
    if (state->usable() || !may_wait) co_return state->usable();
    Wakeup ended(state->request_end.get_executor());
    const Listed listed(state->waiting, ended);
    co_await ended.wait(state->config.miss_wait);
    co_return state->usable();
}

const crypto::JwkSet* KeySet::keys() const {
    return state_->usable() ? &*state_->set : nullptr;
}

std::optional<std::uint64_t> KeySet::generation() const {
    if (!state_->usable()) return std::nullopt;
    return state_->generation;
}

Task<bool> KeySet::look_for(std::string kid) {
    const auto state = state_;
    const auto known = [&] { return state->usable() && state->set->find(kid) != nullptr; };
    if (known()) co_return true;
    if (!state->running || kid.size() > crypto::JwkSet::kid_bytes_max ||
        state->waiting.size() >= state->config.waiting_max ||
        !state->schedule.missed(kid, real_clock().steady())) {
        co_return false;
    }
    state->missed = true;
    state->wakeup.wake();
    Wakeup ended(state->request_end.get_executor());
    const Listed listed(state->waiting, ended);
    co_await ended.wait(state->config.miss_wait);
    if (known()) co_return true;
    state->schedule.note_unknown(kid, real_clock().steady());
    co_return false;
}

Task<TokenVerdict> KeySet::verify(std::string token, const TokenRules& rules) {
    const auto judged = [&]() -> TokenVerdict {
        failpoint("token.before_keys");
        const auto* const set = keys();
        if (set == nullptr) {
            return std::unexpected(
                TokenRefusal{TokenReason::jwks_unavailable, "there are no keys to verify with"});
        }
        return clerk::verify(token, *set, rules, real_clock().now());
    };
    auto verdict = judged();
    const bool unknown = !verdict && verdict.error().reason == TokenReason::kid_unknown;
    if (!unknown || verdict.error().kid.empty()) co_return verdict;
    const std::string kid = verdict.error().kid;
    if (co_await look_for(kid)) verdict = judged();
    co_return verdict;
}

std::optional<Duration> KeySet::age() const {
    const auto since = state_->schedule.since();
    if (!since) return std::nullopt;
    return real_clock().steady() - *since;
}

const std::string& KeySet::issuer() const {
    return state_->config.source.issuer;
}

http::Breaker::State KeySet::circuit() const {
    return state_->upstream.circuit();
}

}  // namespace rollcall::clerk
