#include "base/wakeup.hpp"

#include <boost/asio/redirect_error.hpp>
#include <utility>

namespace rollcall {

Wakeup::Wakeup(Executor executor) : timer_(executor) {}

void Wakeup::wake() {
    woken_ = true;
    timer_.cancel();
}

Task<bool> Wakeup::wait(Duration limit) {
    if (!woken_) {
        timer_.expires_after(bounded(limit));
        boost::system::error_code ignored;
        co_await timer_.async_wait(asio::redirect_error(use_task, ignored));
    }
    co_return std::exchange(woken_, false);
}

}  // namespace rollcall
