#include "jobs/lease.hpp"

#include "base/result.hpp"
#include "jobs/sql.hpp"

#include <utility>

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
