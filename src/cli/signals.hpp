// The signals of a service: SIGTERM and SIGINT ask it to stop, a second one to stop at once, SIGHUP
// to read its configuration again. Handlers run on the event loop.
#pragma once

#include "base/task.hpp"

#include <functional>
#include <memory>

namespace rollcall::cli {

class Signals {
public:
    explicit Signals(Executor executor);
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    void on_stop(std::function<void()> handler);
    void on_second_stop(std::function<void()> handler);
    void on_reload(std::function<void()> handler);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace rollcall::cli
