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
        {"MirrorBehind", c.mirror_behind > never, &sql::mirror_behind,
         limit(c.mirror_behind).boolean(c.mirrors)},
        {"DeletionBurst", c.takes_webhooks && c.deletion_burst, &sql::deletion_burst,
         pg::Params().bigint(c.guarded_users).text(text_of(c.guarded_ratio))},
        {"AdminGranted", c.admin_granted, &sql::admin_granted, pg::Params().boolean(c.polls)},
        {"ForeignJobs", c.foreign_jobs > 0, &sql::foreign_jobs, limit(c.foreign_jobs)},
        {"SignatureFailuresFromOne", c.takes_webhooks && c.signature_failures_network > 0,
         &sql::signature_failures_from_one, pg::Params().bigint(c.signature_failures_network)},
        {"Spooling", c.spooling > never, &sql::spooling, limit(c.spooling)},
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
