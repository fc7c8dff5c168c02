// Sessions that Clerk has ended, into rollcall.session_revocations: REVOKE_SESSION jobs, which the
// events session.ended, session.removed and session.revoked become. Like changes of users they are
// claimed, applied and completed in one transaction and never leased, so that no neighbour that
// hangs keeps them waiting. Idempotent, in any order. A database that is away throws Unavailable.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "jobs/metrics.hpp"
#include "pg/pool.hpp"

namespace rollcall::sync {

class SessionRevocations {
public:
    // All must outlive this. `batch` is how many jobs one transaction takes.
    SessionRevocations(pg::Pool& pool, int batch, jobs::Metrics& metrics,
                       MetricsRegistry& registry);

    // Works off a batch of what is due; how many jobs that were. One that names no session has
    // failed.
    Task<int> run_once();

    // Removes up to `limit` revocations that no living token can be of any more; how many. What is
    // left is in the metrics then.
    Task<int> prune(int limit);

private:
    pg::Pool& pool_;
    int batch_;
    jobs::Metrics& metrics_;
    prometheus::Gauge& kept_;
};

}  // namespace rollcall::sync
