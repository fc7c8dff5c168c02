#include "cli/signals.hpp"

#include <signal.h>
#include <boost/asio/signal_set.hpp>

namespace rollcall::cli {

struct Signals::State : std::enable_shared_from_this<Signals::State> {
    explicit State(Executor executor) : set(executor, SIGTERM, SIGINT, SIGHUP) {}

    void wait() {
        set.async_wait([self = shared_from_this()](boost::system::error_code error, int number) {
            if (error) return;
            self->handle(number);
            self->wait();
        });
    }

    void handle(int number) {
        const auto& handler = number == SIGHUP ? reload : stops++ == 0 ? stop : second_stop;
        if (handler) handler();
    }

    asio::basic_signal_set<Executor> set;
    std::function<void()> stop, second_stop, reload;
    int stops = 0;
};

Signals::Signals(Executor executor) : state_(std::make_shared<State>(executor)) {
    state_->wait();
}

Signals::~Signals() {
    state_->set.cancel();
}

void Signals::on_stop(std::function<void()> handler) {
    state_->stop = std::move(handler);
}
void Signals::on_second_stop(std::function<void()> handler) {
    state_->second_stop = std::move(handler);
}
void Signals::on_reload(std::function<void()> handler) {
    state_->reload = std::move(handler);
}

}  // namespace rollcall::cli
