#include "jobs/lease.hpp"

#include "base/result.hpp"
#include "base/together.hpp"
#include "base/wakeup.hpp"
#include "jobs/sql.hpp"
#include "jobs/work_loop.hpp"

#include <utility>
#include <vector>

namespace rollcall::jobs {

Lease::Lease(pg::Pool& pool, std::string name, std::string holder, std::chrono::milliseconds ttl)
    : pool_(pool), name_(std::move(name)), holder_(std::move(holder)), ttl_(ttl) {
    ensure(!name_.empty() && !holder_.empty() && ttl_.count() > 0, "lease: name, holder, ttl");
}

Task<bool> Lease::hold() {
    const auto asked = std::chrono::steady_clock::now();
    pg::Params params;
    params.text(name_).text(holder_).bigint(ttl_.count()).bigint(fence_);
    const pg::Rows rows = co_await pool_.execute(sql::lease_hold, params);
    if (rows.empty()) {
        fence_ = 0;
        held_until_ = {};
        co_await pool_.execute(sql::lease_shorten, pg::Params().text(name_).bigint(ttl_.count()));
        co_return false;
    }
    fence_ = rows.bigint(0, 0);
    held_until_ = asked + ttl_;
    co_return true;
}

struct Lease::Work {
    Wakeup ended;
    bool over = false;
};

Task<> Lease::run(Task<> task, Work& work) {
    struct End {
        Work& work;
        ~End() {
            work.over = true;
            work.ended.wake();
        }
    } const end{work};
    co_await std::move(task);
}

Task<> Lease::renew() {
    co_await hold();
}

Task<> Lease::keep(Work& work) {
    while (!work.over && fence_ != 0) {
        co_await work.ended.wait(ttl_ / 3);
        if (!work.over) co_await guarded("lease_not_renewed", renew());
    }
    co_await guarded("lease_not_released", release());
}

Task<bool> Lease::during(Task<> work) {
    if (!co_await hold()) co_return false;
    Work both{.ended = Wakeup(co_await asio::this_coro::executor)};
    std::vector<Task<>> tasks;
    tasks.push_back(run(std::move(work), both));
    tasks.push_back(keep(both));
    co_await together(std::move(tasks));
    co_return true;
}

Task<> Lease::release() {
    if (fence_ == 0) co_return;
    pg::Params params;
    params.text(name_).text(holder_).bigint(std::exchange(fence_, 0));
    held_until_ = {};
    co_await pool_.execute(sql::lease_release, params);
}

bool Lease::held() const {
    return std::chrono::steady_clock::now() < held_until_;
}

}  // namespace rollcall::jobs
