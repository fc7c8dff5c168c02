#include "cli/polling.hpp"

#include "admin/sync_routes.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"
#include "sync/schedule.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace rollcall::cli {
namespace {

constexpr int runs_shown = 5;

Result<admin::Synced> synced(const Result<sync::RunSummary>& run) {
    if (!run) return std::unexpected(run.error());
    return admin::Synced{.completed = run->status == sync::RunStatus::completed,
                         .summary = to_json(*run)};
}

std::string lag_json(const sync::SyncState& state) {
    if (!state.last_completed_at) return "null";
    const std::chrono::duration<double> lag = state.now - *state.last_completed_at;
    return fmt::format("{:.3f}", std::max(0.0, lag.count()));
}

std::string next_json(const sync::SyncState& state, const Config& config) {
    if (!config.schedules_passes()) return "null";
    const sync::NextRun next = next_run(state, config.sync.schedule, 0.5);
    return fmt::format(R"({{"mode":"{}","due_at":{}}})", to_string(next.mode),
                       json_time(state.now + next.wait));
}

std::string drift_json(const std::optional<sync::RunRecord>& full) {
    if (!full) return "null";
    const sync::Drift& drift = full->summary.found;
    return fmt::format(R"({{"missing":{},"stale":{},"extra":{}}})", drift.missing, drift.stale,
                       drift.extra);
}

class Counted {
public:
    Counted(int& count, Wakeup& idle) : count_(count), idle_(idle) { ++count_; }
    ~Counted() {
        if (--count_ == 0) idle_.wake();
    }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

private:
    int& count_;
    Wakeup& idle_;
};

}  // namespace

Polling::Polling(Executor executor, const Config& config, std::string instance,
                 clerk::ApiChannel* channel, MetricsRegistry& registry, jobs::Metrics& job_metrics)
    : executor_(executor),
      config_(config),
      instance_(std::move(instance)),
      channel_(channel),
      registry_(registry),
      job_metrics_(job_metrics),
      run_metrics_(registry),
      idle_(executor) {
    job_metrics_.leader("sync", false);
}

void Polling::add_routes(http::Router& public_router, http::AddressGuard& guard,
                         http::Router& admin_router) {
    if (channel_ == nullptr) return;
    admin::add_cron_sync_route(
        public_router, config_.cron_secret, &guard,
        [this](bool full) -> Task<Result<admin::Synced>> {
            const auto mode = full ? sync::RunMode::full : sync::RunMode::incremental;
            co_return synced(co_await run({.mode = mode, .trigger = sync::RunTrigger::cron}));
        });
    admin::add_user_sync_route(
        admin_router, config_.admin_token,
        [this](std::string clerk_id, Actor by) -> Task<Result<admin::Synced>> {
            co_return synced(
                co_await refresh(std::move(clerk_id), sync::RunTrigger::admin, std::move(by)));
        });
}

void Polling::open(pg::Pool& pool, directory::Directory& directory, sync::ChangeObserver changed,
                   sync::RunObserver passed) {
    if (channel_ == nullptr) return;
    parts_ =
        std::make_unique<SyncParts>(executor_, config_, instance_, directory, *channel_, registry_);
    parts_->observe(std::move(changed), [this] { deletion_held(); });
    const auto count = [this](const sync::RunSummary& summary, sync::RunTrigger trigger) {
        run_metrics_.ended(summary, trigger, real_clock().now());
    };
    parts_->reconciler().observe([count, passed = std::move(passed)](
                                     const sync::RunSummary& summary, sync::RunTrigger trigger) {
        count(summary, trigger);
        if (passed) passed(summary, trigger);
    });
    parts_->user_refresh().observe(count);
    if (!config_.roles.scheduler || !config_.schedules_passes()) return;
    scheduler_ = std::make_unique<sync::Scheduler>(
        executor_, pool, parts_->reconciler(),
        sync::SchedulerConfig{.holder = instance_,
                              .schedule = config_.sync.schedule,
                              .on_duty = [this](bool has_duty) { return show_duty(has_duty); }});
    scheduler_->start();
}

// Whoever has the duty shows what was found; the others say nothing of it.
Task<> Polling::show_duty(bool has_duty) {
    job_metrics_.leader("sync", has_duty);
    if (!has_duty) {
        run_metrics_.known(std::nullopt, {});
        co_return;
    }
    const sync::SyncState state = co_await parts_->reconciler().runs().state();
    const auto full = co_await parts_->reconciler().runs().last_full();
    run_metrics_.known(state.last_completed_at, full ? full->summary.found : sync::Drift());
}

SyncParts& Polling::parts() {
    if (parts_ == nullptr || stopping_) throw Unavailable("the schema is not ready, or no longer");
    return *parts_;
}

Task<Result<sync::RunSummary>> Polling::run(sync::RunRequest request) {
    sync::Reconciler& reconciler = parts().reconciler();
    const Counted counted(asked_for_, idle_);
    co_return co_await reconciler.run(request);
}

Task<Result<sync::RunSummary>> Polling::refresh(std::string clerk_id, sync::RunTrigger trigger,
                                                std::optional<Actor> by) {
    sync::UserRefresh& user_refresh = parts().user_refresh();
    const Counted counted(asked_for_, idle_);
    co_return co_await user_refresh.run(std::move(clerk_id), trigger, std::move(by));
}

std::function<Task<bool>(std::string)> Polling::fetch_for_gate() {
    if (channel_ == nullptr) return nullptr;
    return [this](std::string clerk_id) -> Task<bool> {
        const auto done = co_await refresh(std::move(clerk_id), sync::RunTrigger::gate);
        co_return done && done->status == sync::RunStatus::completed;
    };
}

Task<Result<HeldAnswer>> Polling::decide(admin::DeletionOrder order, HeldAnswer answer) {
    if (channel_ == nullptr) {
        co_return fail(ErrorCode::conflict,
                       "what a pass held back is decided on where there is a clerk.secret_key, for "
                       "Clerk is asked for each user once more");
    }
    sync::Reconciler& reconciler = parts().reconciler();
    const Counted counted(asked_for_, idle_);
    co_return co_await decide_on_run(reconciler, std::move(order), answer);
}

Task<std::string> Polling::status() {
    if (parts_ == nullptr) co_return "null";
    sync::RunLedger& runs = parts_->reconciler().runs();
    const sync::SyncState state = co_await runs.state();
    const auto full = co_await runs.last_full();
    std::string shown;
    for (const sync::RunRecord& record : co_await runs.history(runs_shown)) {
        shown += (shown.empty() ? "" : ",") + to_json(record);
    }
    co_return fmt::format(
        R"({{"running":{},"has_duty":{},"clerk_instance":{},"last_success_at":{},)"
        R"("lag_seconds":{},"last_full_at":{},"next":{},"failures_in_a_row":{},)"
        R"("held_deletes":{},"held_run":{},"held_by_id":{},"drift":{},"circuit":"{}",)"
        R"("runs":[{}]}})",
        parts_->reconciler().running(), scheduler_ != nullptr && scheduler_->has_duty(),
        state.instance_id.empty() ? "null" : json_string(state.instance_id),
        json_time(state.last_completed_at), lag_json(state), json_time(state.full_completed_at),
        next_json(state, config_), state.failures_in_a_row, state.held_deletes,
        state.held_run == 0 ? "null" : std::to_string(state.held_run), state.held_by_id,
        drift_json(full), to_string(channel_->circuit()), shown);
}

Task<bool> Polling::stop(Duration limit) {
    stopping_ = true;
    if (parts_ == nullptr) co_return true;
    parts_->reconciler().interrupt();
    const auto deadline = std::chrono::steady_clock::now() + bounded(limit);
    const auto left = [deadline] { return deadline - std::chrono::steady_clock::now(); };
    if (scheduler_ != nullptr && !co_await scheduler_->stop(left())) co_return false;
    while (asked_for_ > 0) {
        if (left() <= Duration::zero()) co_return false;
        co_await idle_.wait(left());
    }
    co_await parts_->stop();
    co_return true;
}

}  // namespace rollcall::cli
