#include "alerts/conditions.hpp"

#include "alerts/sql.hpp"

namespace rollcall::alerts {
namespace {

pg::Params limit(std::chrono::milliseconds time) {
    return pg::Params().bigint(time.count());
}

pg::Params limit(int number) {
    return pg::Params().integer(number);
}

std::string text_of(double number) {
    return std::to_string(number);
}

}  // namespace

std::vector<Condition> conditions(const ConditionsConfig& c) {
    using std::chrono::milliseconds;
    constexpr milliseconds never{0};
    return {
        {"SyncFailing", c.polls && c.sync_failures > 0, &sql::sync_failing, limit(c.sync_failures)},
        {"SyncStale", c.polls && c.sync_stale > never, &sql::sync_stale, limit(c.sync_stale)},
        {"DeletesHeld", c.deletes_held, &sql::deletes_held, {}},
        {"WebhookSilence", c.takes_webhooks && c.polls && c.webhook_silence > never,
         &sql::webhook_silence, limit(c.webhook_silence)},
        {"SignatureFailures", c.takes_webhooks && c.signature_failures_ratio > 0,
         &sql::signature_failures,
         pg::Params().text(text_of(c.signature_failures_ratio)).integer(c.signature_failures_min)},
        {"DeadLetters", c.dead_letters > 0, &sql::dead_letters, limit(c.dead_letters)},
        {"QueueStuck", c.queue_stuck > never, &sql::queue_stuck, limit(c.queue_stuck)},
        {"Drift", c.polls && c.drift_passes > 0, &sql::drift,
         pg::Params().integer(c.drift_passes).integer(c.drift_users)},
        {"CircuitOpen", c.circuit_open > never, &sql::circuit_open, limit(c.circuit_open)},
    };
}

Task<std::optional<Sighting>> look(pg::Pool& pool, const Condition& condition) {
    const pg::Rows rows = co_await pool.execute(*condition.statement, condition.thresholds);
    if (rows.empty()) co_return std::nullopt;
    co_return Sighting{
        .since = SystemTime(std::chrono::milliseconds(rows.bigint(0, rows.column("since_ms")))),
        .labels = std::string(rows.text(0, rows.column("labels"))),
        .summary = std::string(rows.text(0, rows.column("summary")))};
}

}  // namespace rollcall::alerts
