// One holder at a time for a duty, among all instances on one database: a row of `rollcall.leases`
// and the database's clock, so it works through any pooler. A holder that dies is followed when its
// lease lapses, also when that clock was set back. `fence` grows with every change of holder:
// whoever must not act late checks it in the transaction that acts.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace rollcall::jobs {

class Lease {
public:
    // `pool` must outlive the lease. `holder` is unique among instances.
    Lease(pg::Pool& pool, std::string name, std::string holder, std::chrono::milliseconds ttl);
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // Takes the lease if it is free or lapsed, renews it if it is ours: whether we hold it now.
    // Call every third of the time to live.
    Task<bool> hold();
    // Takes the lease, runs `work`, renews beside it, and lets go whatever becomes of it, also when
    // it throws. held() tells the work that the lease is another's: it must not go on then. False
    // when another has the lease; `work` was never begun.
    Task<bool> during(Task<> work);
    // Lets go, so that another need not wait for the lapse. Nothing when not held.
    Task<> release();

    // By this process' own clock, counted from before the last hold() was sent: errs towards no.
    [[nodiscard]] bool held() const;
    [[nodiscard]] std::int64_t fence() const { return fence_; }  // 0: never held

private:
    struct Work;
    static Task<> run(Task<> task, Work& work);
    Task<> keep(Work& work);
    Task<> renew();

    pg::Pool& pool_;
    std::string name_;
    std::string holder_;
    std::chrono::milliseconds ttl_;
    std::int64_t fence_ = 0;
    SteadyTime held_until_{};
};

}  // namespace rollcall::jobs
