// rollcall_audit_events_total: how many entries of each action were added since this process began,
// by whomever and wherever: SQL functions and other processes add them too, so they are read from
// the table and not counted where they are made. Every process counts all of them.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>

namespace rollcall::audit {

// Those that rollcall has, as docs/audit.md lists them.
inline constexpr std::array<std::string_view, 14> actions{
    "job.retry",     "job.cancel",     "job.reveal",    "deletes.approve", "deletes.discard",
    "user.export",   "user.erase",     "user.returned", "mirror.adopted",  "sync.manual",
    "config.reload", "secret.rotated", "migrate",       "role.granted",
};

class EntryCounter {
public:
    // The most entries of one look.
    static constexpr int batch = 1'000;

    // Both must outlive this.
    EntryCounter(pg::Pool& pool, MetricsRegistry& metrics);
    EntryCounter(const EntryCounter&) = delete;
    EntryCounter& operator=(const EntryCounter&) = delete;

    // One look; how many entries it went through, `batch` when there may be more. The first only
    // finds out where to begin. An entry counts whose transaction ended within a minute of it: ids
    // are given before entries can be seen.
    Task<int> look();

private:
    void count(std::string_view action);

    pg::Pool& pool_;
    std::map<std::string_view, prometheus::Counter*, std::less<>> counters_;
    prometheus::Counter& other_;               // actions of somebody else's
    std::optional<std::int64_t> all_counted_;  // the id up to which nothing more can appear
    std::set<std::int64_t> counted_;           // those beyond
};

}  // namespace rollcall::audit
