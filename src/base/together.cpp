#include "base/together.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <exception>
#include <utility>

namespace rollcall {

Task<> together(std::vector<Task<>> tasks) {
    if (tasks.empty()) co_return;
    const auto executor = co_await asio::this_coro::executor;
    using Spawned = decltype(asio::co_spawn(executor, std::declval<Task<>>(), asio::deferred));
    std::vector<Spawned> spawned;
    spawned.reserve(tasks.size());
    for (Task<>& task : tasks) {
        spawned.push_back(asio::co_spawn(executor, std::move(task), asio::deferred));
    }
    auto [order, failures] = co_await asio::experimental::make_parallel_group(std::move(spawned))
                                 .async_wait(asio::experimental::wait_for_all(), use_task);
    for (const std::size_t index : order) {
        if (failures[index]) std::rethrow_exception(failures[index]);
    }
}

}  // namespace rollcall
