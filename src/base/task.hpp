// Coroutines. `Task<T>` is what every function that waits returns; it runs on the event loop of the
// coroutine that awaits it. The executor is the concrete one: the type-erased default costs 15 %.
// One event loop has one thread, so code between two co_awaits never races with other coroutines.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <string>

namespace rollcall {

namespace asio = boost::asio;

using Executor = asio::io_context::executor_type;
using Duration = std::chrono::nanoseconds;

template <class T = void>
using Task = asio::awaitable<T, Executor>;

using SteadyTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, Executor>;

// A delay that can be added to any present time without overflow.
[[nodiscard]] inline Duration bounded(Duration delay) {
    return std::clamp(delay, Duration::zero(), Duration(std::chrono::hours(24 * 365)));
}

// Completion token for Asio operations inside a Task.
inline constexpr asio::use_awaitable_t<Executor> use_task{};

// Runs `task` beside the caller. An exception that leaves it is logged with `name` as event
// "task_failed" and ends that task only. Arguments of the coroutine must be owned by it.
void spawn(Executor executor, std::string name, Task<> task);

// Waits `delay`; returns early, without an error, when the task is cancelled.
Task<> sleep(Duration delay);

}  // namespace rollcall
