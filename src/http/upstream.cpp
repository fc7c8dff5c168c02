#include "http/upstream.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace rollcall::http {
namespace {

constexpr unsigned server_error = 500;
constexpr std::array<std::string_view, 4> reasons{"no_answer", "rate_limited", "server_error",
                                                  "circuit_open"};
constexpr std::array all_states{Breaker::State::closed, Breaker::State::half_open,
                                Breaker::State::open};

// What comes from outside makes no more labels than there are statuses.
std::string code_label(const std::optional<Response>& response) {
    if (!response) return "none";
    return response->status >= 100 && response->status < 600 ? std::to_string(response->status)
                                                             : "other";
}

}  // namespace

// Shared with attempts under way, which may outlive the upstream when the event loop is torn down.
struct Upstream::State {
    State(UpstreamConfig config, MetricsRegistry& metrics)
        : name(std::move(config.name)),
          breaker(config.breaker),
          healthy(config.healthy ? std::move(config.healthy)
                                 : [](const Response& r) { return r.status < server_error; }),
          requests(metrics.counter("rollcall_upstream_requests_total",
                                   "Requests to an upstream; code none: there was no answer.")),
          circuit(metrics
                      .gauge("rollcall_circuit_state",
                             "Of an upstream's circuit: 0 closed, 1 half-open, 2 open.")
                      .Add({{"upstream", name}})) {
        auto& durations = metrics.histogram("rollcall_upstream_request_duration_seconds",
                                            "From sending a request to its whole answer.");
        for (const std::string& operation : config.operations) {
            requests.Add({{"upstream", name}, {"operation", operation}, {"code", "200"}});
            duration[operation] =
                &durations.Add({{"upstream", name}, {"operation", operation}}, duration_buckets());
        }
        auto& retry = metrics.counter("rollcall_upstream_retries_total",
                                      "Requests to an upstream that were sent again, by reason.");
        for (std::size_t i = 0; i < reasons.size(); ++i) {
            retries[i] = &retry.Add({{"upstream", name}, {"reason", std::string(reasons[i])}});
        }
        auto& entered = metrics.counter("rollcall_circuit_transitions_total",
                                        "How often an upstream's circuit came into a state.");
        for (std::size_t i = 0; i < all_states.size(); ++i) {
            transitions[i] =
                &entered.Add({{"upstream", name}, {"to", std::string(to_string(all_states[i]))}});
        }
    }

    // After anything that may have moved the breaker.
    void note_transition(std::string_view reason) {
        const auto now = breaker.state();
        if (now == seen) return;
        seen = now;
        since = real_clock().now();
        circuit.Set(static_cast<double>(now));
        transitions[static_cast<std::size_t>(now)]->Increment();
        if (now == Breaker::State::open) {
            log::warn("circuit_open", {{"upstream", name}, {"reason", reason}});
        } else if (now == Breaker::State::closed) {
            log::info("circuit_closed", {{"upstream", name}});
        }
    }

    std::string name;
    Breaker breaker;
    std::function<bool(const Response&)> healthy;
    Breaker::State seen = Breaker::State::closed;
    std::optional<SystemTime> since;
    std::int64_t failures = 0;
    prometheus::Family<prometheus::Counter>& requests;
    prometheus::Gauge& circuit;
    std::map<std::string, prometheus::Histogram*, std::less<>> duration;
    std::array<prometheus::Counter*, reasons.size()> retries{};
    std::array<prometheus::Counter*, all_states.size()> transitions{};
};

// Tells the breaker how an attempt ended; when nobody says, that it was abandoned.
class Upstream::Report {
public:
    Report(std::shared_ptr<State> state, Breaker::Pass pass)
        : state_(std::move(state)), pass_(pass) {}
    ~Report() {
        if (!ended_) state_->breaker.abandoned(pass_);
    }
    Report(const Report&) = delete;
    Report& operator=(const Report&) = delete;

    void succeeded() {
        ended_ = true;
        state_->failures = 0;
        state_->breaker.succeeded(pass_);
        state_->note_transition("");
    }
    void failed(std::string_view reason, SteadyTime now) {
        ended_ = true;
        ++state_->failures;
        state_->breaker.failed(pass_, now);
        state_->note_transition(reason);
    }

private:
    std::shared_ptr<State> state_;
    Breaker::Pass pass_;
    bool ended_ = false;
};

Upstream::Upstream(Client& client, UpstreamConfig config, MetricsRegistry& metrics)
    : client_(client), state_(std::make_shared<State>(std::move(config), metrics)) {}

Upstream::~Upstream() = default;

Task<Attempt> Upstream::send(std::string_view operation, ClientRequest request) {
    const auto state = state_;
    const auto known = state->duration.find(operation);
    ensure(known != state->duration.end(), "upstream: an operation that was not configured");
    const SteadyTime start = real_clock().steady();
    const auto admission = state->breaker.admit(start);
    state->note_transition("");
    if (!admission.admitted) {
        co_return Attempt{.failure = state->name + ": circuit open after failures",
                          .sent = false,
                          .wait = admission.wait};
    }
    Report report(state, admission.pass);
    Attempt attempt;
    try {
        attempt.response = co_await client_.send(std::move(request));
    } catch (const Unavailable& away) {
        attempt.failure = away.what();
    }
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (!attempt.response && cancellation.cancelled() != asio::cancellation_type::none) {
        throw Unavailable("cancelled while waiting for " + state->name);
    }
    const SteadyTime end = real_clock().steady();
    known->second->Observe(std::chrono::duration<double>(end - start).count());
    const std::string code = code_label(attempt.response);
    state->requests.Add({{"upstream", state->name}, {"operation", known->first}, {"code", code}})
        .Increment();
    if (!attempt.response) {
        report.failed(attempt.failure, end);
    } else if (state->healthy(*attempt.response)) {
        report.succeeded();
    } else {
        report.failed("status " + code, end);
    }
    co_return attempt;
}

void Upstream::count_retry(RetryReason reason) {
    state_->retries[static_cast<std::size_t>(reason)]->Increment();
}

Breaker::State Upstream::circuit() const {
    return state_->breaker.state();
}

Circuit Upstream::look(SteadyTime now) const {
    return {.state = state_->breaker.state(),
            .since = state_->since,
            .next_probe = state_->breaker.wait(now),
            .failures = state_->failures};
}

int Upstream::room(int wanted, SteadyTime now) const {
    const Breaker& breaker = state_->breaker;
    if (breaker.state() == Breaker::State::closed) return wanted;
    return breaker.wait(now).count() > 0 ? 0 : std::min(wanted, 1);
}

}  // namespace rollcall::http
