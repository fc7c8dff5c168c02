#include "alerts/watch.hpp"

#include "alerts/row_time.hpp"
#include "alerts/sql.hpp"

#include <fmt/ranges.h>
#include <string_view>
#include <utility>

namespace rollcall::alerts {
namespace {

AlertMessage message_of(const pg::Rows& rows, int row) {
    const auto text = [&](std::string_view name) {
        return std::string(rows.text(row, rows.column(name)));
    };
    return {.alert = text("alert"),
            .firing = rows.boolean(row, rows.column("firing")),
            .summary = text("summary"),
            .since = time_at(rows, row, "since_ms").value(),
            .labels = text("labels")};
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

Task<std::string> Watch::list(const std::optional<AlertMessage>& own, bool database) {
    std::vector<std::string> entries;
    bool told = false;
    if (database) {
        const pg::Rows rows = co_await pool_.execute(sql::list_alerts);
        for (int row = 0; row < rows.size(); ++row) {
            const AlertMessage message = message_of(rows, row);
            told = told || (own && message.firing && message.alert == own->alert);
            entries.push_back(to_entry(message, time_at(rows, row, "resolved_ms")));
        }
    }
    if (own && !told) entries.insert(entries.begin(), to_entry(*own));
    co_return fmt::format(R"({{"complete":{},"alerts":[{}]}})", database, fmt::join(entries, ","));
}

}  // namespace rollcall::alerts
