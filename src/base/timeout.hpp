// A limit on how long a task may take. Costs a timer, a coroutine and a few allocations: for a call
// to a neighbour, not for each row or request. What the task waits for is cancelled when time is
// up, and waited for: a task that cannot be cancelled is not cut short.
#pragma once

#include "base/task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <exception>
#include <optional>
#include <utility>

namespace rollcall {

// The task's value; nothing when `end` expired, or was cancelled, first. Rethrows what the task
// threw in time.
template <class T>
Task<std::optional<T>> with_end(Task<T> task, SteadyTimer& end) {
    const auto executor = co_await asio::this_coro::executor;
    auto [order, failure, value, ignored] =
        co_await asio::experimental::make_parallel_group(
            asio::co_spawn(executor, std::move(task), asio::deferred),
            end.async_wait(asio::deferred))
            .async_wait(asio::experimental::wait_for_one(), use_task);
    if (order[0] != 0) co_return std::nullopt;
    if (failure) std::rethrow_exception(failure);
    co_return std::move(value);
}

// The same; nothing when `limit` passed first.
template <class T>
Task<std::optional<T>> with_timeout(Task<T> task, Duration limit) {
    SteadyTimer timer(co_await asio::this_coro::executor);
    timer.expires_after(bounded(limit));
    co_return co_await with_end(std::move(task), timer);
}

}  // namespace rollcall
