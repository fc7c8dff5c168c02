#include "alerts/watch.hpp"

#include "alerts/sql.hpp"
#include "base/json.hpp"

#include <fmt/format.h>
#include <utility>

namespace rollcall::alerts {
namespace {

std::string rfc3339(const pg::Rows& rows, int row, std::string_view column) {
    return to_rfc3339(SystemTime(std::chrono::milliseconds(rows.bigint(row, rows.column(column)))));
}

}  // namespace

Watch::Watch(Executor executor, pg::Pool& pool, AlertsConfig config, std::vector<Circuit> circuits,
             jobs::Metrics& job_metrics, MetricsRegistry& metrics)
    : pool_(pool),
      evaluator_(pool, config.evaluator, std::move(circuits), job_metrics, metrics),
      sink_(executor, config.sink, metrics),
      messenger_(executor, pool, sink_, config.messenger, metrics),
      looking_(executor,
               {.name = "alerts",
                .poll_interval = [interval = config.evaluator.interval] { return interval; }},
               [this]() -> Task<int> {
                   if (co_await evaluator_.run_once()) sending_.wake();
                   co_return 0;
               }),
      sending_(executor,
               {.name = "alert_messages",
                .poll_interval = [interval = config.evaluator.interval] { return interval; }},
               [this] { return messenger_.send_next(); }),
      sends_(config.evaluator.evaluates && sink_.configured()) {}

void Watch::start() {
    looking_.start();
    if (sends_) sending_.start();
}

Task<> Watch::stop() {
    messenger_.stop();
    co_await looking_.stop();
    co_await sending_.stop();
    co_await evaluator_.release();
}

Task<std::string> Watch::list() {
    const pg::Rows rows = co_await pool_.execute(sql::list_alerts);
    std::string out;
    for (int row = 0; row < rows.size(); ++row) {
        const bool firing = rows.boolean(row, rows.column("firing"));
        const bool over = !rows.is_null(row, rows.column("resolved_ms"));
        out += fmt::format(
            R"({}{{"alert":{},"status":"{}","summary":{},"since":"{}","resolved_at":{},)"
            R"("labels":{}}})",
            out.empty() ? "" : ",", json_string(rows.text(row, rows.column("alert"))),
            firing ? "firing" : "resolved", json_string(rows.text(row, rows.column("summary"))),
            rfc3339(rows, row, "since_ms"),
            over ? json_string(rfc3339(rows, row, "resolved_ms")) : "null",
            rows.text(row, rows.column("labels")));
    }
    co_return R"({"alerts":[)" + out + "]}";
}

}  // namespace rollcall::alerts
