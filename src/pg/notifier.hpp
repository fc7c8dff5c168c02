// Tells other processes, by NOTIFY, that there is something to look at: at once when it was quiet,
// then at most once in `min_interval`, however often notify() is called. A NOTIFY inside the
// transaction that has the news would make committing transactions queue up behind each other.
// Best effort: listeners poll as well, so a failure is only logged (debug).
#pragma once

#include "base/task.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace rollcall::pg {

class Notifier {
public:
    // `pool` must outlive the notifier. Every notification carries `payload`.
    Notifier(Executor executor, Pool& pool, std::string channel,
             std::chrono::milliseconds min_interval, std::string payload = "");
    ~Notifier();
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    void notify();

private:
    struct State;
    static Task<> run(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

}  // namespace rollcall::pg
