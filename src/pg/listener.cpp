#include "pg/listener.hpp"

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "pg/connection.hpp"
#include "pg/opening.hpp"

#include <boost/asio/redirect_error.hpp>
#include <utility>

namespace rollcall::pg {
namespace {

// So often a quiet connection is asked whether it is still one.
constexpr std::chrono::seconds heartbeat{30};

std::string quote_identifier(std::string_view name) {
    std::string quoted = "\"";
    for (const char c : name) {
        quoted.push_back(c);
        if (c == '"') quoted.push_back(c);
    }
    return quoted + "\"";
}

}  // namespace

struct Listener::State {
    State(Executor e, DatabaseConfig c, std::string ch,
          std::function<void(std::string_view payload)> f)
        : executor(e),
          config(std::move(c)),
          channel(std::move(ch)),
          on_notify(std::move(f)),
          pause(e) {
        listen.label = "listen";
        listen.text = "LISTEN " + quote_identifier(channel);
        ping.label = "ping";
        ping.text = "SELECT 1";
    }

    static Task<> run(std::shared_ptr<State> self);
    Task<Outcome<std::shared_ptr<Connection>>> open();
    Task<bool> ask(Connection& c, const Plan& plan);
    Task<std::string> listen_on(Connection& c);
    void stop();

    Executor executor;
    DatabaseConfig config;
    std::string channel;
    std::function<void(std::string_view payload)> on_notify;
    SteadyTimer pause;
    Random random;
    Plan listen;
    Plan ping;
    std::size_t first_address = 0;
    Opening* opening = nullptr;
    std::shared_ptr<Connection> connection;
    bool listening = false;
    bool stopped = false;
};

Listener::Listener(Executor executor, DatabaseConfig config, std::string channel,
                   std::function<void(std::string_view payload)> on_notify)
    : state_(std::make_shared<State>(executor, std::move(config), std::move(channel),
                                     std::move(on_notify))) {}

Listener::~Listener() {
    state_->stop();
}

Task<> Listener::run() {
    return State::run(state_);
}

void Listener::stop() {
    state_->stop();
}

bool Listener::listening() const {
    return state_->listening;
}

void Listener::State::stop() {
    stopped = true;
    pause.cancel();
    if (opening != nullptr) opening->cancel();
    if (connection) connection->cancel_wait();
}

Task<> Listener::State::run(std::shared_ptr<State> self) {
    int failures = 0;
    while (!self->stopped) {
        std::string trouble;
        auto opened = co_await self->open();
        if (self->stopped) break;
        if (opened) {
            self->connection = std::move(*opened);
            trouble = co_await self->listen_on(*self->connection);
            if (std::exchange(self->listening, false)) failures = 0;
            self->connection.reset();
        } else {
            trouble = std::move(opened.error().message);
        }
        if (self->stopped) break;
        if (failures == 0) {
            log::warn("listen_lost", {{"channel", self->channel}, {"reason", trouble}});
        }
        self->pause.expires_after(backoff_delay(self->config.reconnect, failures++, self->random));
        boost::system::error_code ignored;
        co_await self->pause.async_wait(asio::redirect_error(use_task, ignored));
    }
}

Task<Outcome<std::shared_ptr<Connection>>> Listener::State::open() {
    Opening attempt(executor, config, first_address);
    struct Known {
        ~Known() { place = nullptr; }
        Opening*& place;
    } known{opening};
    opening = &attempt;
    co_return co_await attempt.run();
}

Task<bool> Listener::State::ask(Connection& c, const Plan& plan) {
    const Params none;
    c.start(Connection::Use::unnamed);
    c.queue(plan, none);
    co_return co_await c.exchange();
}

// Until the connection is lost (returns why) or stop().
Task<std::string> Listener::State::listen_on(Connection& c) {
    const bool in_force = co_await ask(c, listen);
    if (!in_force) co_return c.failure().message;
    if (stopped) co_return "";
    listening = true;
    on_notify("");
    while (!stopped) {
        const bool readable = co_await c.wait_readable(heartbeat);
        if (stopped) break;
        if (!readable) {
            const bool there = co_await ask(c, ping);
            if (!there) co_return c.failure().message;
        }
        if (!c.notifications([this](std::string_view payload) {
                if (!stopped) on_notify(payload);
            })) {
            co_return "connection lost";
        }
    }
    co_return "";
}

}  // namespace rollcall::pg
