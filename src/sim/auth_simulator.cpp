#include "sim/auth_simulator.hpp"

#include "base/log.hpp"
#include "http/router.hpp"
#include "sim/auth_api.hpp"
#include "sim/clerk_endpoint.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::sim {

namespace {

using std::chrono::milliseconds;

http::ServerConfig server_config(const std::string& listen) {
    http::ServerConfig config;
    config.listen = listen;
    config.name = "sim_supabase";
    return config;
}

}  // namespace

Result<void> check(const AuthSimulatorConfig& config) {
    if (auto fine = check_loopback_listen(config.listen); !fine) return fine;
    if (config.keys.empty()) {
        return fail(ErrorCode::bad_configuration, "the simulated Supabase needs a key");
    }
    for (const auto& key : config.keys) {
        if (auto fine = check_auth_key(key); !fine) return fine;
    }
    return {};
}

// Everything there is between start() and drain(). Requests hold it, so that it outlives them.
struct AuthSimulator::State : std::enable_shared_from_this<State> {
    State(Executor loop, AuthSimulatorConfig settings, Faults& faults, std::uint64_t seed,
          std::shared_ptr<http::ServerMetrics> server_metrics, const Clock& clock)
        : executor(loop),
          config(std::move(settings)),
          metrics(std::move(server_metrics)),
          auth(AuthKeys(config.keys, config.bare), seed, faults, clock),
          api(auth) {}

    Executor executor;
    AuthSimulatorConfig config;
    std::shared_ptr<http::ServerMetrics> metrics;
    AuthInstance auth;
    AuthApi api;
    http::Router router;
    std::unique_ptr<http::Server> server;  // none while it is down
    unsigned short port = 0;
    bool stopping = false;

    void add_routes();
    Result<void> open();
    static Task<http::Response> serve(std::shared_ptr<State> self, http::Request& request);
};

// The API answers unknown paths itself, so it takes whatever comes.
void AuthSimulator::State::add_routes() {
    std::string pattern;
    for (const auto* segment : {"/", "{a}", "/{b}", "/{c}", "/{d}", "/{e}", "/{f}"}) {
        pattern += segment;
        router.add({"GET", "POST", "PUT", "PATCH", "DELETE"}, pattern,
                   [this](http::Request& request) { return serve(shared_from_this(), request); });
    }
}

Result<void> AuthSimulator::State::open() {
    auto opened =
        std::make_unique<http::Server>(executor, server_config(config.listen), router, metrics);
    if (auto bound = opened->start(); !bound) return bound;
    server = std::move(opened);
    port = server->port();
    // After it was down it must be found where it was.
    config.listen = config.listen.substr(0, config.listen.rfind(':') + 1) + std::to_string(port);
    return {};
}

Task<http::Response> AuthSimulator::State::serve(std::shared_ptr<State> self,
                                                 http::Request& request) {
    constexpr milliseconds slice{50};
    const auto wait = self->api.wait_before(request);
    const auto& clock = self->auth.clock;
    const auto until = clock.steady() + wait.duration;
    // In slices, so that a hanging answer does not hold up the end.
    while (!self->stopping && clock.steady() < until) {
        co_await sleep(std::min<Duration>(slice, until - clock.steady()));
    }
    co_return wait.hang ? self->api.give_up(request) : self->api.answer(request);
}

AuthSimulator::AuthSimulator(Executor executor, AuthSimulatorConfig config, Faults& faults,
                             std::uint64_t seed, std::shared_ptr<http::ServerMetrics> metrics,
                             const Clock& clock)
    : state_(std::make_shared<State>(executor, std::move(config), faults, seed, std::move(metrics),
                                     clock)) {}

AuthSimulator::~AuthSimulator() = default;

Result<void> AuthSimulator::start() {
    auto& state = *state_;
    ensure(state.port == 0, "the simulated Supabase Auth was started twice");
    if (auto fine = check(state.config); !fine) return fine;
    state.add_routes();
    if (auto opened = state.open(); !opened) return opened;
    log::info("sim_supabase_listening", {{"port", port()}});
    follow_faults();
    return {};
}

unsigned short AuthSimulator::port() const {
    return state_->port;
}

std::string AuthSimulator::url() const {
    return "http://" + state_->config.listen;
}

std::string AuthSimulator::key() const {
    return state_->config.keys.front();
}

bool AuthSimulator::listening() const {
    return state_->server != nullptr;
}

AuthInstance& AuthSimulator::instance() const {
    return state_->auth;
}

void AuthSimulator::follow_faults() {
    auto& state = *state_;
    const bool down = state.auth.faults.auth_down();
    if (state.port == 0 || state.stopping || down == !listening()) return;
    if (down) {
        // Without a word to those who are connected, as when the process is killed.
        state.server.reset();
        return;
    }
    if (auto opened = state.open(); !opened) {
        log::error("sim_supabase_not_listening", {{"reason", opened.error().message}});
    }
}

Task<> AuthSimulator::drain(milliseconds limit) {
    const auto state = state_;
    if (std::exchange(state->stopping, true)) co_return;
    if (state->server) co_await state->server->drain(limit);
}

}  // namespace rollcall::sim
