// What `serve` has of polling: the schedule, the routes that begin runs, the refresh of single
// users, and what is seen of them from outside. Without a secret key there is only the last, at
// zero: Clerk cannot be asked.
#pragma once

#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "base/wakeup.hpp"
#include "cli/config.hpp"
#include "cli/held_deletions.hpp"
#include "cli/sync_parts.hpp"
#include "http/router.hpp"
#include "jobs/metrics.hpp"
#include "sync/apply_user.hpp"
#include "sync/metrics.hpp"
#include "sync/scheduler.hpp"

#include <functional>
#include <memory>
#include <string>

namespace rollcall::cli {

class Polling {
public:
    // `channel` is null without a secret key. All references must outlive this; `instance` is
    // unique among processes.
    Polling(Executor executor, const Config& config, std::string instance,
            clerk::ApiChannel* channel, MetricsRegistry& registry, jobs::Metrics& job_metrics);
    Polling(const Polling&) = delete;
    Polling& operator=(const Polling&) = delete;

    // Until open() they answer 503.
    void add_routes(http::Router& public_router, http::AddressGuard& guard,
                    http::Router& admin_router);
    // The schema is there. Begins the schedule where this process has the role scheduler, but not
    // in mode webhook. Tells of the rows that change one by one, and of each pass that has ended.
    void open(pg::Pool& pool, directory::Directory& directory, sync::ChangeObserver changed,
              sync::RunObserver passed);

    // Whoever refreshes users elsewhere tells of each deletion that was held back.
    void deletion_held() { run_metrics_.deletion_held(); }

    // One pass now. conflict while one runs, here or elsewhere.
    Task<Result<sync::RunSummary>> run(sync::RunRequest request);
    // One user now, for the admin interface, the gate and whoever else waits for it.
    Task<Result<sync::RunSummary>> refresh(std::string clerk_id, sync::RunTrigger trigger,
                                           std::optional<Actor> by = {});

    // The same for the gate: whether Clerk was asked and the table has what it said. Empty without
    // a secret key.
    [[nodiscard]] std::function<Task<bool>(std::string clerk_id)> fetch_for_gate();

    // Decides on what a pass held back. conflict without a secret key, and while a run is under
    // way.
    Task<Result<HeldAnswer>> decide(admin::DeletionOrder order, HeldAnswer answer);

    // JSON for /statusz; null before open(). Asks the database.
    Task<std::string> status();

    // The run under way comes to its end soon and no other begins; another process may go on from
    // there. False when a run or a refresh has not ended within `limit`.
    Task<bool> stop(Duration limit);

private:
    [[nodiscard]] SyncParts& parts();
    Task<> show_duty(bool has_duty);

    Executor executor_;
    const Config& config_;
    std::string instance_;
    clerk::ApiChannel* channel_;
    MetricsRegistry& registry_;
    jobs::Metrics& job_metrics_;
    sync::RunMetrics run_metrics_;
    std::unique_ptr<SyncParts> parts_;
    std::unique_ptr<sync::Scheduler> scheduler_;
    bool stopping_ = false;
    int asked_for_ = 0;  // runs and refreshes that somebody waits for
    Wakeup idle_;
};

}  // namespace rollcall::cli
