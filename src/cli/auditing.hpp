// What `serve` does with the audit log beside adding to it: entries are counted, and those that
// were kept for long enough removed.
#pragma once

#include "audit/entry_counter.hpp"
#include "base/metrics.hpp"
#include "base/task.hpp"
#include "jobs/work_loop.hpp"
#include "pg/pool.hpp"

#include <chrono>

namespace rollcall::cli {

class Auditing {
public:
    // `pool` and `metrics` must outlive this. An entry stays at least as long as `kept`.
    Auditing(Executor executor, pg::Pool& pool, std::chrono::milliseconds kept,
             MetricsRegistry& metrics);

    void open();  // the schema is there
    Task<> stop();

private:
    audit::EntryCounter counter_;
    jobs::WorkLoop counting_;
    jobs::WorkLoop pruning_;
};

}  // namespace rollcall::cli
