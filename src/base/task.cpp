#include "base/task.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>

namespace rollcall {
namespace {

void log_failure(const std::string& name, const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        log::error("task_failed", {{"task", name}, {"reason", error.what()}});
    } catch (...) {
        log::error("task_failed", {{"task", name}, {"reason", "unknown exception"}});
    }
}

}  // namespace

void spawn(Executor executor, std::string name, Task<> task) {
    asio::co_spawn(executor, std::move(task),
                   [name = std::move(name)](const std::exception_ptr& failure) {
                       if (failure) log_failure(name, failure);
                   });
}

Task<> sleep(Duration delay) {
    SteadyTimer timer(co_await asio::this_coro::executor);
    timer.expires_after(bounded(delay));
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(use_task, ignored));
}

}  // namespace rollcall
