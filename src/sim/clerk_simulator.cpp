#include "sim/clerk_simulator.hpp"

#include "base/log.hpp"
#include "base/wakeup.hpp"
#include "http/router.hpp"
#include "sim/auth_control.hpp"
#include "sim/clerk_api.hpp"
#include "sim/clerk_control.hpp"
#include "sim/clerk_delivery.hpp"
#include "sim/clerk_session_control.hpp"
#include "sim/clerk_state.hpp"
#include "sim/gateway_page.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace rollcall::sim {

namespace {

using std::chrono::milliseconds;

std::unexpected<Error> misconfigured(std::string message) {
    return fail(ErrorCode::bad_configuration, std::move(message));
}

Result<void> check_key(std::string_view key) {
    constexpr std::string_view prefix = "sk_test_";
    if (key.starts_with("sk_live_") || key.starts_with("pk_live_")) {
        return misconfigured(
            "the simulator refuses live keys: give it a made-up one that begins with sk_test_");
    }
    if (!key.starts_with(prefix) || key.size() == prefix.size()) {
        return misconfigured("the simulator's secret key must begin with sk_test_");
    }
    return {};
}

http::ServerConfig server_config(const std::string& listen) {
    http::ServerConfig config;
    config.listen = listen;
    config.name = "sim";
    return config;
}

}  // namespace

Result<void> check(const ClerkSimulatorConfig& config) {
    if (auto fine = check_key(config.secret_key); !fine) return fine;
    if (auto fine = check_loopback_listen(config.listen); !fine) return fine;
    if (!config.webhook_url.empty()) {
        if (auto fine = check_webhook_url(config.webhook_url); !fine) return fine;
    }
    if (!(config.speed >= 0.001 && config.speed <= 1e6)) {
        return misconfigured("the simulator's speed must be between 0.001 and 1000000");
    }
    if (config.supabase) {
        if (auto fine = check(*config.supabase); !fine) return fine;
    }
    if (!config.signing_key.empty()) {
        if (auto key = crypto::RsaSigningKey::from_pem(config.signing_key); !key) {
            return misconfigured(key.error().message);
        }
    }
    if (config.messages_max == 0) return misconfigured("messages_max must be at least 1");
    WebhookEndpoint endpoint;
    for (const auto& secret : config.webhook_secrets) {
        if (auto fine = endpoint.rotate(secret, SteadyTime{}); !fine) return fine;
    }
    Faults faults(0);
    for (const auto& fault : config.faults) {
        if (auto fine = faults.merge_text(fault); !fine) return misconfigured(fine.error().message);
    }
    return {};
}

// Everything there is between start() and drain(). Tasks hold it, so that it outlives them.
struct ClerkSimulator::State : std::enable_shared_from_this<State> {
    State(Executor loop, ClerkSimulatorConfig settings,
          std::shared_ptr<http::ServerMetrics> server_metrics, const Clock& time)
        : executor(loop),
          config(std::move(settings)),
          metrics(std::move(server_metrics)),
          clock(time),
          changed(loop) {}

    Executor executor;
    ClerkSimulatorConfig config;
    std::shared_ptr<http::ServerMetrics> metrics;
    const Clock& clock;
    std::shared_ptr<ClerkInstance> clerk;
    std::unique_ptr<ClerkApi> api;
    std::unique_ptr<ClerkControl> control;
    std::unique_ptr<ClerkSessionControl> session_control;
    http::Router router;
    std::unique_ptr<http::Server> server;
    std::shared_ptr<ClerkDelivery> delivery;
    std::unique_ptr<AuthSimulator> supabase;
    std::unique_ptr<AuthControl> supabase_control;
    Wakeup changed;
    bool dirty = false;
    bool stopping = false;

    void make_instance(std::optional<ClerkState> kept);
    void make_supabase();
    void add_routes();
    Task<http::Response> serve(http::Request& request);
    Task<> keep_state();
    void save();
};

void ClerkSimulator::State::make_instance(std::optional<ClerkState> kept) {
    const auto seed = kept ? kept->seed : config.seed ? *config.seed : Random().next();
    clerk = std::make_shared<ClerkInstance>(seed, kept ? kept->ids_made : IdMaker::Counters(),
                                            config.messages_max, config.speed, config.rate_limit,
                                            clock);
    clerk->secret_key = config.secret_key;
    if (!config.signing_key.empty()) {
        auto key = crypto::RsaSigningKey::from_pem(config.signing_key);
        ensure(key.has_value(), "a checked signing key was refused");
        clerk->keys.give(*std::move(key));
    }
    clerk->endpoint.url = config.webhook_url;
    const auto old_life = std::chrono::duration_cast<milliseconds>(
        std::chrono::duration<double>(WebhookEndpoint::old_secret_life) / config.speed);
    auto secrets = config.webhook_secrets;
    // Of the seed alone, so that a continued instance keeps its secret.
    if (secrets.empty()) secrets.push_back(IdMaker(seed).webhook_secret());
    for (const auto& secret : std::views::reverse(secrets)) {
        const auto done = clerk->endpoint.rotate(secret, clock.steady(), old_life);
        ensure(done.has_value(), "a checked webhook secret was refused");
    }
    for (const auto& fault : config.faults) {
        ensure(clerk->faults.merge_text(fault).has_value(), "a checked fault was refused");
    }
    delivery = std::make_shared<ClerkDelivery>(executor, clerk);
    clerk->on_message = [weak = std::weak_ptr(delivery)] {
        if (const auto alive = weak.lock()) alive->wake();
    };
    clerk->on_change = [weak = weak_from_this()] {
        const auto alive = weak.lock();
        if (!alive) return;
        alive->dirty = true;
        alive->changed.wake();
    };
    if (!kept) {
        clerk->populate(config.users, nullptr, config.announce_users);
        return;
    }
    clerk->people_made = kept->people_made;
    for (auto& user : kept->users) clerk->users.put(std::move(user));
}

void ClerkSimulator::State::make_supabase() {
    if (!config.supabase) return;
    supabase = std::make_unique<AuthSimulator>(executor, *config.supabase, clerk->faults,
                                               clerk->ids.seed(), metrics, clock);
    clerk->on_faults = [this] { supabase->follow_faults(); };
    clerk->on_reset = [this] { supabase->instance().reset(); };
    supabase_control = std::make_unique<AuthControl>(*supabase);
    supabase_control->add_to(router);
}

// The API answers unknown paths itself, so it takes whatever comes under /v1.
void ClerkSimulator::State::add_routes() {
    api = std::make_unique<ClerkApi>(*clerk);
    control = std::make_unique<ClerkControl>(clerk, config.users, config.announce_users);
    control->add_to(router);
    session_control = std::make_unique<ClerkSessionControl>(clerk);
    session_control->add_to(router);
    router.add({"GET"}, std::string(ClerkApi::frontend_jwks),
               [this](http::Request& request) { return serve(request); });
    std::string pattern = "/v1";
    for (const auto* segment : {"", "/{a}", "/{b}", "/{c}", "/{d}", "/{e}", "/{f}"}) {
        pattern += segment;
        router.add({"GET", "POST", "PUT", "PATCH", "DELETE"}, pattern,
                   [this](http::Request& request) { return serve(request); });
    }
}

Task<http::Response> ClerkSimulator::State::serve(http::Request& request) {
    constexpr milliseconds slice{50};
    const auto wait = api->wait_before(request);
    const auto until = clock.steady() + wait.duration;
    // In slices, so that a hanging answer does not hold up the end.
    while (!stopping && clock.steady() < until) {
        co_await sleep(std::min<Duration>(slice, until - clock.steady()));
    }
    if (wait.hang) co_return gateway_page(504);
    co_return api->answer(request);
}

void ClerkSimulator::State::save() {
    if (!dirty || config.state_file.empty()) return;
    dirty = false;
    if (const auto saved = save_state(config.state_file, *clerk); !saved) {
        log::error("sim_state_not_saved", {{"reason", saved.error().message}});
    }
}

// Writes the state soon after a change; several changes make one writing.
Task<> ClerkSimulator::State::keep_state() {
    constexpr std::chrono::hours idle{1};
    constexpr milliseconds gather{500};
    while (!stopping) {
        co_await changed.wait(idle);
        if (!stopping) co_await sleep(gather);
        save();
    }
}

ClerkSimulator::ClerkSimulator(Executor executor, ClerkSimulatorConfig config,
                               std::shared_ptr<http::ServerMetrics> metrics, const Clock& clock)
    : state_(std::make_shared<State>(executor, std::move(config), std::move(metrics), clock)) {}

ClerkSimulator::~ClerkSimulator() = default;

Result<void> ClerkSimulator::start() {
    auto& state = *state_;
    ensure(state.server == nullptr, "the simulator was started twice");
    if (auto fine = check(state.config); !fine) return fine;
    std::optional<ClerkState> kept;
    if (!state.config.state_file.empty()) {
        auto loaded = load_state(state.config.state_file);
        if (!loaded) return std::unexpected(loaded.error());
        kept = std::move(*loaded);
    }
    state.make_instance(std::move(kept));
    state.make_supabase();
    state.add_routes();
    state.server = std::make_unique<http::Server>(
        state.executor, server_config(state.config.listen), state.router, state.metrics);
    if (auto bound = state.server->start(); !bound) return bound;
    if (state.supabase) {
        if (auto bound = state.supabase->start(); !bound) return bound;
    }
    state.delivery->start();
    if (!state.config.state_file.empty()) {
        spawn(state.executor, "sim_state",
              [](std::shared_ptr<State> self) -> Task<> { co_await self->keep_state(); }(state_));
    }
    log::info("sim_listening", {{"port", port()}, {"users", state.clerk->users.size()}});
    return {};
}

unsigned short ClerkSimulator::port() const {
    return state_->server->port();
}

std::string ClerkSimulator::url() const {
    const auto host = state_->config.listen.substr(0, state_->config.listen.rfind(':'));
    return "http://" + host + ":" + std::to_string(port());
}

std::string ClerkSimulator::webhook_secret() const {
    return state_->clerk->endpoint.secrets(state_->clock.steady()).front();
}

ClerkInstance& ClerkSimulator::instance() const {
    return *state_->clerk;
}

AuthSimulator* ClerkSimulator::supabase() const {
    return state_->supabase.get();
}

Result<void> ClerkSimulator::set_webhook_url(const std::string& url) {
    if (auto fine = check_webhook_url(url); !fine) return fine;
    state_->clerk->endpoint.url = url;
    state_->clerk->on_message();
    return {};
}

Task<> ClerkSimulator::drain(milliseconds limit) {
    const auto state = state_;
    if (state->server == nullptr || state->stopping) co_return;
    state->stopping = true;
    state->changed.wake();
    if (state->supabase) co_await state->supabase->drain(limit);
    co_await state->server->drain(limit);
    co_await state->delivery->stop(limit);
    state->save();
}

}  // namespace rollcall::sim
