#include "sync/session_revocations.hpp"

#include "jobs/job.hpp"
#include "sync/sql.hpp"

#include <algorithm>
#include <chrono>

namespace rollcall::sync {

SessionRevocations::SessionRevocations(pg::Pool& pool, int batch, jobs::Metrics& metrics,
                                       MetricsRegistry& registry)
    : pool_(pool),
      batch_(batch),
      metrics_(metrics),
      kept_(registry
                .gauge("rollcall_revocations",
                       "Sessions that have ended and whose tokens may still be alive.")
                .Add({})) {}

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

Task<int> SessionRevocations::prune(int limit) {
    const pg::Rows pruned =
        co_await pool_.execute(sql::prune_revocations, pg::Params().integer(limit));
    kept_.Set(static_cast<double>(pruned.bigint(0, 1)));
    co_return static_cast<int>(pruned.bigint(0, 0));
}

}  // namespace rollcall::sync
