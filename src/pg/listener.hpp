// LISTEN on one channel with a connection of its own, reconnected with jittered backoff. Best
// effort by nature: a pooler may swallow notifications, so callers poll as well.
#pragma once

#include "base/task.hpp"
#include "pg/pool.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace rollcall::pg {

class Listener {
public:
    // `on_notify` gets each payload; it runs on the loop and must not block. Whenever the LISTEN
    // comes into force, first or again, it gets "": something may have been missed until then.
    Listener(Executor executor, DatabaseConfig config, std::string channel,
             std::function<void(std::string_view payload)> on_notify);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // Runs until stop(). Not again after that.
    Task<> run();
    void stop();

    // True while the LISTEN is in force.
    [[nodiscard]] bool listening() const;

private:
    struct State;
    std::shared_ptr<State> state_;  // run() may outlive the listener
};

}  // namespace rollcall::pg
