// What makes the table follow Clerk by asking, wired from the settings: for the service and for the
// commands. A pool and ways to Clerk of its own, so that a pass over all users takes nothing from
// webhooks and jobs but its share of Clerk's quota.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "clerk/api_channel.hpp"
#include "clerk/http_backend_api.hpp"
#include "cli/config.hpp"
#include "directory/directory.hpp"
#include "pg/pool.hpp"
#include "sync/reconciler.hpp"
#include "sync/refresh.hpp"
#include "sync/user_lookup.hpp"
#include "sync/user_refresh.hpp"

#include <functional>
#include <memory>
#include <string>

namespace rollcall::cli {

// The connections that SyncParts opens at most: one for each worker of a complete pass, and one for
// its record.
[[nodiscard]] int sync_connections(const Config& config);

class SyncParts {
public:
    // All references must outlive this. `instance` is unique among processes: jobs::worker_name().
    SyncParts(Executor executor, const Config& config, std::string instance,
              directory::Directory& directory, clerk::ApiChannel& channel,
              MetricsRegistry& metrics);
    SyncParts(const SyncParts&) = delete;
    SyncParts& operator=(const SyncParts&) = delete;

    [[nodiscard]] sync::Reconciler& reconciler() { return reconciler_; }
    [[nodiscard]] sync::UserRefresh& user_refresh() { return user_refresh_; }
    // For one user; must not outlive this.
    [[nodiscard]] std::unique_ptr<sync::UserLookup> lookup();

    // Told of each row that changes on this way, and of each deletion that is held back for one
    // user. Called on the event loop; must not block.
    void observe(sync::ChangeObserver changed, std::function<void()> held);

    // Closes the pool, once no run is under way.
    Task<> stop();

private:
    pg::Pool pool_;
    directory::Directory& directory_;
    clerk::ApiChannel& channel_;
    sync::DeletionGuard guard_;
    sync::ChangeObserver changed_;
    std::function<void()> held_;
    clerk::HttpBackendApi patient_;  // of a pass, which is dear to begin again
    sync::Refresh pass_refresh_;
    sync::Reconciler reconciler_;
    sync::UserRefresh user_refresh_;
};

}  // namespace rollcall::cli
