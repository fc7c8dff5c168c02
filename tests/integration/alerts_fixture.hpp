// What the tests of alerts/ share: a migrated database, short words for what the conditions look
// at, and one evaluator (or several, as on several machines).
#pragma once

#include "alerts/evaluator.hpp"
#include "migrated_fixture.hpp"

#include <memory>
#include <string>

namespace rollcall::alerts {

using namespace std::chrono_literals;

class AlertsTest : public test::MigratedTest {
protected:
    AlertsTest()
        : MigratedTest(
              "public.job_queue, rollcall.leases, rollcall.alerts, rollcall.open_circuits, "
              "rollcall.deliveries, rollcall.sync_runs, rollcall.ledger, rollcall.absences, "
              "rollcall.failing_networks, rollcall.spools") {}

    // A pass that began `minutes_ago` and took a second; `set` is "column = value, …".
    void pass(const std::string& mode, const std::string& status, int minutes_ago,
              const std::string& set = "error = error") const {
        sql(
            fmt::format("WITH r AS (INSERT INTO rollcall.sync_runs (trigger, mode, status, "
                        "instance, started_at, finished_at) VALUES ('schedule', '{}', '{}', 'i', "
                        "now() - interval '{} minutes', now() - interval '{} minutes' + "
                        "interval '1 second') RETURNING id) SELECT id FROM r",
                        mode, status, minutes_ago, minutes_ago));
        sql(
            fmt::format("UPDATE rollcall.sync_runs SET {} "
                        "WHERE id = (SELECT max(id) FROM rollcall.sync_runs)",
                        set));
    }
    void delivery(const std::string& outcome, const std::string& reason, int count,
                  int minutes_ago) const {
        sql(
            fmt::format("INSERT INTO rollcall.deliveries (minute, outcome, reason, count, "
                        "first_seen, last_seen) SELECT date_trunc('minute', at), '{}', '{}', {}, "
                        "at, at FROM (SELECT now() - interval '{} minutes' AS at) AS t",
                        outcome, reason, count, minutes_ago));
    }
    void job(const std::string& kind, const std::string& status, int minutes_ago) const {
        sql(
            fmt::format("INSERT INTO public.job_queue (job_type, status, created_at, updated_at, "
                        "run_at, original_event) SELECT '{}', '{}', at, at, at, '{{}}' FROM "
                        "(SELECT now() - interval "
                        "'{} minutes' AS at) AS t",
                        kind, status, minutes_ago));
    }
    // A spool that holds `events`, the oldest from so many minutes ago; the last came out of it
    // then.
    void spool(const std::string& place, int events, int oldest_ago, int drained_ago,
               int damaged) const {
        sql(
            fmt::format("INSERT INTO rollcall.spools (place, instance, events, bytes, oldest_at, "
                        "moved_at, damaged, damaged_since) SELECT '{}', 'i', {}, 100, now() - "
                        "interval '{} minutes', now() - interval '{} minutes', {}, now()",
                        place, events, oldest_ago, drained_ago, damaged));
    }
    // As if `minutes` had passed for what is known of alerts.
    void later(int minutes) const {
        sql(
            fmt::format("UPDATE rollcall.alerts SET since = since - i, unseen_since = unseen_since "
                        "- i, resolved_at = resolved_at - i, announced_at = announced_at - i, "
                        "notice_due_at = notice_due_at - i "
                        "FROM (SELECT interval '{} minutes' AS i) AS t",
                        minutes));
    }

    std::unique_ptr<Evaluator> evaluator(const std::string& instance = "one") {
        return std::make_unique<Evaluator>(pool,
                                           EvaluatorConfig{.instance = instance,
                                                           .evaluates = evaluates,
                                                           .interval = 30s,
                                                           .policy = policy,
                                                           .conditions = thresholds},
                                           circuits, job_metrics, registry);
    }
    // The names of what fires, after one look.
    std::string firing() {
        run(evaluator()->run_once());
        release();
        return sql(
            "SELECT string_agg(alert, ' ' ORDER BY alert) FROM rollcall.alerts "
            "WHERE firing");
    }
    std::string summary(const std::string& alert) const {
        return sql(fmt::format("SELECT summary FROM rollcall.alerts WHERE alert = '{}'", alert));
    }
    std::string labels(const std::string& alert) const {
        return sql(fmt::format("SELECT labels FROM rollcall.alerts WHERE alert = '{}'", alert));
    }
    // The message of `alert` that waits: firing, resolved or "".
    std::string notice(const std::string& alert) const {
        return sql(fmt::format("SELECT notice FROM rollcall.alerts WHERE alert = '{}'", alert));
    }
    // As if the message of `alert` had been delivered.
    void told(const std::string& alert) const {
        sql(
            fmt::format("UPDATE rollcall.alerts SET told = notice = 'firing', notice = NULL "
                        "WHERE alert = '{}'",
                        alert));
    }
    void release() const { sql("UPDATE rollcall.leases SET until = '-infinity'"); }
    [[nodiscard]] double sample(std::string_view name) const {
        const std::string page = registry.render();
        const std::size_t at = page.find("\n" + std::string(name) + " ");
        return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size() + 2));
    }

    jobs::Metrics job_metrics{registry};
    AlertPolicy policy{.cooldown = 1h, .resolve_after = 5min};
    ConditionsConfig thresholds;
    std::vector<Circuit> circuits;
    bool evaluates = true;
};

}  // namespace rollcall::alerts
