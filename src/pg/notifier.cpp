#include "pg/notifier.hpp"

#include "base/log.hpp"
#include "pg/pool_state.hpp"
#include "pg/sql.hpp"

#include <boost/asio/redirect_error.hpp>
#include <utility>

namespace rollcall::pg {

struct Notifier::State {
    State(Executor e, std::shared_ptr<Pool::State> p, std::string c, std::chrono::milliseconds i,
          std::string what)
        : executor(e),
          pool(std::move(p)),
          channel(std::move(c)),
          payload(std::move(what)),
          interval(i),
          pause(e) {}

    Executor executor;
    std::shared_ptr<Pool::State> pool;
    std::string channel;
    std::string payload;
    std::chrono::milliseconds interval;
    SteadyTimer pause;
    bool news = false;
    bool running = false;
    bool stopped = false;
};

Notifier::Notifier(Executor executor, Pool& pool, std::string channel,
                   std::chrono::milliseconds min_interval, std::string payload)
    : state_(std::make_shared<State>(executor, pool.state_, std::move(channel), min_interval,
                                     std::move(payload))) {}

Notifier::~Notifier() {
    state_->stopped = true;
    state_->pause.cancel();
}

void Notifier::notify() {
    state_->news = true;
    if (state_->running) return;
    state_->running = true;
    spawn(state_->executor, "pg_notify", run(state_));
}

Task<> Notifier::run(std::shared_ptr<State> state) {
    while (state->news && !state->stopped) {
        state->news = false;
        Params params;
        params.text(state->channel).text(state->payload);
        const auto outcome = co_await state->pool->execute(sql::notify, params);
        if (!outcome) log::debug("notify_failed", {{"reason", outcome.error().message}});
        if (state->stopped) break;
        state->pause.expires_after(state->interval);
        boost::system::error_code ignored;
        co_await state->pause.async_wait(asio::redirect_error(use_task, ignored));
    }
    state->running = false;
}

}  // namespace rollcall::pg
