#include "alerts/evaluator.hpp"

#include "alerts/metrics.hpp"
#include "alerts/row_time.hpp"
#include "alerts/sql.hpp"
#include "base/log.hpp"
#include "jobs/work_loop.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace rollcall::alerts {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds lease_min = std::chrono::seconds(15);

pg::Params& add_time(pg::Params& params, const std::optional<SystemTime>& time) {
    return time ? params.timestamptz(*time) : params.null();
}

Notice notice_of(std::string_view name) {
    if (name.empty()) return Notice::none;
    return name == "firing" ? Notice::firing : Notice::resolved;
}

std::optional<std::string_view> name_of(Notice notice) {
    if (notice == Notice::none) return std::nullopt;
    return notice == Notice::firing ? "firing" : "resolved";
}

AlertState state_of(const pg::Rows& rows, int row) {
    return {.firing = rows.boolean(row, rows.column("firing")),
            .since = time_at(rows, row, "since_ms"),
            .unseen_since = time_at(rows, row, "unseen_since_ms"),
            .resolved_at = time_at(rows, row, "resolved_ms"),
            .announced_at = time_at(rows, row, "announced_ms"),
            .waiting = notice_of(rows.text(row, rows.column("notice"))),
            .told = rows.boolean(row, rows.column("told"))};
}

pg::Params changes(std::string_view alert, const Verdict& verdict,
                   const std::optional<Sighting>& sighting) {
    const AlertState& state = verdict.state;
    pg::Params params;
    params.text(alert).boolean(state.firing);
    add_time(params, state.since);
    add_time(params, state.unseen_since);
    add_time(params, state.resolved_at);
    add_time(params, state.announced_at);
    params.text(name_of(state.waiting));
    if (sighting) {
        params.text(sighting->summary).text(sighting->labels);
    } else {
        params.null().null();
    }
    params.boolean(verdict.message);
    return params;
}

}  // namespace

Evaluator::Evaluator(pg::Pool& pool, EvaluatorConfig config, std::vector<Circuit> circuits,
                     jobs::Metrics& job_metrics, MetricsRegistry& metrics)
    : pool_(pool),
      config_(std::move(config)),
      conditions_(conditions(config_.conditions)),
      circuits_(std::move(circuits)),
      lease_(pool, "alerts", config_.instance, std::max(3 * config_.interval, lease_min)),
      job_metrics_(job_metrics) {
    auto& active = active_alerts(metrics);
    for (const Condition& condition : conditions_) {
        const std::string alert(condition.alert);
        active_[alert] = &active.Add({{"alert", alert}});
    }
    job_metrics_.leader("alerts", false);
}

Task<bool> Evaluator::run_once() {
    co_await jobs::guarded("circuits_not_reported", report_circuits());
    if (!config_.evaluates || !co_await on_duty()) co_return false;
    std::vector<Look> looks;
    for (const Condition& condition : conditions_) {
        co_await jobs::guarded("alert_condition_not_read", look_at(condition, looks));
    }
    if (!lease_.held()) co_return false;
    co_return co_await decide_all(looks);
}

Task<> Evaluator::report_circuits() {
    std::vector<std::optional<std::string_view>> open;
    for (const Circuit& circuit : circuits_) {
        if (!circuit.closed()) open.emplace_back(circuit.upstream);
    }
    if (open.empty() && !reported_) co_return;
    const bool some = !open.empty();
    pg::Params params;
    params.text(config_.instance).text_array(open);
    co_await pool_.execute(sql::report_open_circuits, params);
    reported_ = some;
}

Task<bool> Evaluator::on_duty() {
    const bool held = co_await lease_.hold();
    if (held && !leading_) log::info("alerts_duty_taken", {{"fence", lease_.fence()}});
    if (!held && leading_) leave_duty();
    leading_ = held;
    job_metrics_.leader("alerts", held);
    co_return held;
}

void Evaluator::leave_duty() {
    log::info("alerts_duty_lost");
    leading_ = false;
    job_metrics_.leader("alerts", false);
    for (const auto& [alert, active] : active_) active->Set(0);  // another instance tells now
}

Task<> Evaluator::look_at(const Condition& condition, std::vector<Look>& looks) {
    Look result{.condition = &condition};
    // One that is switched off is one that is not seen: what it had to say comes to an end.
    if (condition.enabled) result.sighting = co_await look(pool_, condition);
    looks.push_back(std::move(result));
}

Task<bool> Evaluator::decide_all(const std::vector<Look>& looks) {
    std::vector<std::optional<std::string_view>> names;
    names.reserve(looks.size());
    for (const Look& look : looks) names.emplace_back(look.condition->alert);
    auto transaction = co_await pool_.begin();
    pg::Params params;
    params.text_array(names);
    co_await transaction.execute(sql::add_alerts, params);
    const pg::Rows rows = co_await transaction.execute(sql::lock_alerts, params);
    bool message = false;
    for (int row = 0; row < rows.size(); ++row) {
        const auto found =
            std::ranges::find(looks, rows.text(row, rows.column("alert")),
                              [](const Look& look) { return look.condition->alert; });
        ensure(found != looks.end(), "alerts: only those that were asked for are returned");
        message = co_await decide_one(transaction, rows, row, *found) || message;
    }
    co_await transaction.commit();
    co_return message;
}

Task<bool> Evaluator::decide_one(pg::Transaction& transaction, const pg::Rows& rows, int row,
                                 const Look& look) {
    const AlertState before = state_of(rows, row);
    const SystemTime now = time_at(rows, row, "now_ms").value();
    const auto seen = look.sighting ? std::optional(look.sighting->since) : std::nullopt;
    const Verdict verdict = decide(before, seen, config_.policy, now);
    const std::string_view alert = look.condition->alert;
    if (verdict.state != before || look.sighting) {
        co_await transaction.execute(sql::save_alert, changes(alert, verdict, look.sighting));
    }
    active_.find(alert)->second->Set(verdict.state.firing ? 1 : 0);
    if (verdict.turn == Verdict::Turn::began) {
        log::warn("alert_firing", {{"alert", alert},
                                   {"summary", look.sighting->summary},
                                   {"labels", look.sighting->labels},
                                   {"since", to_rfc3339(verdict.state.since.value())}});
    } else if (verdict.turn == Verdict::Turn::ended) {
        log::info("alert_resolved",
                  {{"alert", alert}, {"since", to_rfc3339(verdict.state.since.value_or(now))}});
    }
    co_return verdict.message;
}

Task<> Evaluator::release() {
    if (leading_) leave_duty();
    co_await jobs::guarded("alerts_duty_not_released", lease_.release());
}

}  // namespace rollcall::alerts
