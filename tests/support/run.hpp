// Running coroutines in tests: to their end or to a deadline, never for ever, and without sleeping.
#pragma once

#include "base/task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace rollcall::test {

inline constexpr std::chrono::seconds deadline{30};

// Runs the loop until `condition` holds; false when the time is up first.
[[nodiscard]] inline bool wait_until(asio::io_context& io, const std::function<bool()>& condition,
                                     std::chrono::milliseconds limit = deadline) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        io.restart();
        io.run_one_for(std::chrono::milliseconds(5));
    }
    return true;
}

// What a task came to; shared with it, since it may outlive who waits.
template <class T>
struct Outcome {
    using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
    bool done = false;
    std::exception_ptr failure;
    std::optional<Value> value;
};

template <class T>
Task<> keep(Task<T> task, std::shared_ptr<Outcome<T>> outcome) {
    if constexpr (std::is_void_v<T>) {
        co_await std::move(task);
    } else {
        outcome->value.emplace(co_await std::move(task));
    }
}

// What `task` returns or throws. Other work of the loop goes on meanwhile.
template <class T>
T run(asio::io_context& io, Task<T> task, std::chrono::milliseconds limit = deadline) {
    auto outcome = std::make_shared<Outcome<T>>();
    asio::co_spawn(io, keep(std::move(task), outcome), [outcome](std::exception_ptr failure) {
        outcome->failure = std::move(failure);
        outcome->done = true;
    });
    const auto end = std::chrono::steady_clock::now() + limit;
    io.restart();
    while (!outcome->done) {
        if (io.run_one_until(end) == 0) {
            throw std::runtime_error(io.stopped() ? "the task waits for nothing"
                                                  : "the task did not end in time");
        }
    }
    if (outcome->failure) std::rethrow_exception(outcome->failure);
    if constexpr (!std::is_void_v<T>) return std::move(*outcome->value);
}

}  // namespace rollcall::test
