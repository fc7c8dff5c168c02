#include "sync/session_revocations.hpp"

#include "jobs/job.hpp"
#include "sync/sql.hpp"

#include <algorithm>
#include <chrono>

namespace rollcall::sync {

Task<int> SessionRevocations::run_once() {
    using Ending = jobs::Metrics::Ending;
    const auto begun = std::chrono::steady_clock::now();
    const pg::Rows ended =
        co_await pool_.execute(sql::revoke_sessions, pg::Params().integer(batch_));
    const jobs::Metrics::Seconds took = std::chrono::steady_clock::now() - begun;
    if (ended.empty()) co_return 0;
    for (int row = 0; row < ended.size(); ++row) {
        metrics_.waited(jobs::queue_users,
                        jobs::Metrics::Seconds(std::max(0.0, ended.number(row, 2))));
        metrics_.ended(jobs::revoke_session, ended.boolean(row, 0) ? Ending::ok : Ending::dead,
                       static_cast<int>(ended.bigint(row, 1)));
        metrics_.ran(jobs::revoke_session, took);
    }
    co_return ended.size();
}

Task<int> SessionRevocations::prune(pg::Pool& pool, int limit) {
    const pg::Rows gone =
        co_await pool.execute(sql::prune_revocations, pg::Params().integer(limit));
    co_return static_cast<int>(gone.affected());
}

}  // namespace rollcall::sync
