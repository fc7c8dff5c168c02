#include "audit/entry_counter.hpp"

#include "audit/sql.hpp"

#include <string>

namespace rollcall::audit {
namespace {

prometheus::Family<prometheus::Counter>& family(MetricsRegistry& metrics) {
    return metrics.counter("rollcall_audit_events_total",
                           "Entries of the audit log; every instance counts all of them.");
}

}  // namespace

EntryCounter::EntryCounter(pg::Pool& pool, MetricsRegistry& metrics)
    : pool_(pool), other_(family(metrics).Add({{"action", "other"}})) {
    for (const std::string_view action : actions) {
        counters_[action] = &family(metrics).Add({{"action", std::string(action)}});
    }
}

Task<int> EntryCounter::look() {
    if (!all_counted_) {
        all_counted_ = (co_await pool_.execute(sql::newest)).bigint(0, 0);
        co_return 0;
    }
    const pg::Rows rows =
        co_await pool_.execute(sql::added, pg::Params().bigint(*all_counted_).integer(batch));
    const bool more = rows.size() == batch;
    for (int row = 0; row < rows.size(); ++row) {
        const std::int64_t id = rows.bigint(row, rows.column("id"));
        if (counted_.insert(id).second) count(rows.text(row, rows.column("action")));
        if (more || rows.boolean(row, rows.column("settled"))) all_counted_ = id;
    }
    counted_.erase(counted_.begin(), counted_.upper_bound(*all_counted_));
    co_return rows.size();
}

void EntryCounter::count(std::string_view action) {
    const auto known = counters_.find(action);
    (known == counters_.end() ? other_ : *known->second).Increment();
}

}  // namespace rollcall::audit
