#include "gate/provisioning.hpp"

#include "base/failpoint.hpp"
#include "base/wakeup.hpp"
#include "jobs/work_loop.hpp"

#include <array>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rollcall::gate {
namespace {

constexpr std::array<std::string_view, 4> result_names{"done", "failed", "remembered", "limited"};

// What came of a user a moment ago.
struct Recent {
    SteadyTime until;
    Provisioned result{};
};

struct Flight {
    std::vector<std::shared_ptr<Wakeup>> waiters;
    std::optional<Provisioned> result;
};

}  // namespace

struct Provisioning::State : std::enable_shared_from_this<Provisioning::State> {
    State(Executor given_executor, ProvisioningConfig given, Fetch given_fetch,
          const Clock& given_clock, MetricsRegistry& registry)
        : executor(given_executor),
          config(given),
          fetch(std::move(given_fetch)),
          clock(given_clock) {
        auto& counter = registry.counter("rollcall_gate_provisioned_total",
                                         "Users fetched on the first request, by what came of it");
        for (std::size_t i = 0; i < result_names.size(); ++i) {
            results.at(i) = &counter.Add({{"result", std::string(result_names.at(i))}});
        }
    }

    void count(Provisioned result) { results.at(static_cast<std::size_t>(result))->Increment(); }
    void forget_old(SteadyTime now);
    void remember(const std::string& clerk_id, Provisioned result);
    // The flight of this user; null, and why, when there is none.
    std::shared_ptr<Flight> flight_of(const std::string& clerk_id, Provisioned& why_not);
    void land(const std::string& clerk_id, bool done);
    static Task<> fly(std::shared_ptr<State> self, std::string clerk_id);

    Executor executor;
    ProvisioningConfig config;
    Fetch fetch;
    const Clock& clock;
    std::array<prometheus::Counter*, 4> results{};
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights;
    std::deque<std::string> turns;  // of flights that have not begun
    std::size_t running = 0;
    std::size_t waiting = 0;
    std::unordered_map<std::string, Recent> recent;
    std::deque<std::string> recent_order;  // the oldest first
};

namespace {

Task<> fetch_into(const Provisioning::Fetch& fetch, std::string clerk_id, bool& done) {
    failpoint("decide.before_provision");
    done = co_await fetch(std::move(clerk_id));
}

}  // namespace

// One of the lanes: this user, then whoever waits for a turn.
Task<> Provisioning::State::fly(std::shared_ptr<State> self, std::string clerk_id) {
    while (true) {
        bool done = false;
        const auto fetched = co_await jobs::caught(fetch_into(self->fetch, clerk_id, done));
        self->land(clerk_id, fetched.has_value() && done);
        if (self->turns.empty()) break;
        clerk_id = std::move(self->turns.front());
        self->turns.pop_front();
    }
    --self->running;
}

void Provisioning::State::forget_old(SteadyTime now) {
    while (!recent_order.empty()) {
        const auto oldest = recent.find(recent_order.front());
        if (oldest != recent.end()) {
            if (oldest->second.until > now && recent.size() <= config.recent_max) return;
            recent.erase(oldest);
        }
        recent_order.pop_front();
    }
}

void Provisioning::State::remember(const std::string& clerk_id, Provisioned result) {
    const SteadyTime now = clock.steady();
    const auto [found, fresh] = recent.try_emplace(clerk_id);
    found->second = {.until = now + config.remembered_for, .result = result};
    if (fresh) recent_order.push_back(clerk_id);
    forget_old(now);
}

std::shared_ptr<Flight> Provisioning::State::flight_of(const std::string& clerk_id,
                                                       Provisioned& why_not) {
    const SteadyTime now = clock.steady();
    forget_old(now);
    if (const auto found = recent.find(clerk_id); found != recent.end()) {
        why_not = found->second.result;
        if (found->second.until > now) return nullptr;
    }
    if (const auto found = flights.find(clerk_id); found != flights.end()) {
        why_not = Provisioned::done;
        return found->second;
    }
    why_not = Provisioned::limited;
    if (flights.size() >= config.users_max) return nullptr;
    why_not = Provisioned::done;
    auto flight = std::make_shared<Flight>();
    flights.emplace(clerk_id, flight);
    if (running < config.at_once) {
        ++running;
        spawn(executor, "provision_user", fly(shared_from_this(), clerk_id));
    } else {
        turns.push_back(clerk_id);
    }
    return flight;
}

void Provisioning::State::land(const std::string& clerk_id, bool done) {
    const auto found = flights.find(clerk_id);
    const std::shared_ptr<Flight> flight = found->second;
    flights.erase(found);
    // Whoever looked before it was there finds that it is by now.
    remember(clerk_id, done ? Provisioned::done : Provisioned::remembered);
    flight->result = done ? Provisioned::done : Provisioned::failed;
    count(*flight->result);
    for (const auto& waiter : flight->waiters) waiter->wake();
}

Provisioning::Provisioning(Executor executor, ProvisioningConfig config, Fetch fetch,
                           const Clock& clock, MetricsRegistry& registry)
    : state_(std::make_shared<State>(executor, config, std::move(fetch), clock, registry)) {}

Provisioning::~Provisioning() = default;

Task<Provisioned> Provisioning::user(std::string clerk_id) {
    const auto state = state_;
    Provisioned why_not{};
    const auto flight = state->flight_of(clerk_id, why_not);
    if (flight != nullptr && state->waiting >= state->config.waiters_max) {
        why_not = Provisioned::limited;
    }
    if (flight == nullptr || why_not == Provisioned::limited) {
        if (why_not != Provisioned::done) state->count(why_not);
        co_return why_not;
    }
    const auto landed = std::make_shared<Wakeup>(state->executor);
    flight->waiters.push_back(landed);
    ++state->waiting;
    co_await landed->wait(state->config.wait);
    --state->waiting;
    co_return flight->result.value_or(Provisioned::failed);
}

void Provisioning::begin(const std::string& clerk_id) {
    Provisioned ignored{};
    state_->flight_of(clerk_id, ignored);
}

void Provisioning::refuse(const std::string& clerk_id) {
    state_->remember(clerk_id, Provisioned::remembered);
}

}  // namespace rollcall::gate
