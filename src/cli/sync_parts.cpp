#include "cli/sync_parts.hpp"

#include <utility>

namespace rollcall::cli {
namespace {

sync::ReconcilerConfig reconciler_of(const Config& config, std::string instance) {
    sync::ReconcilerConfig made;
    made.instance = std::move(instance);
    made.workers = config.sync.workers;
    made.guard = config.sync.guard;
    return made;
}

}  // namespace

int sync_connections(const Config& config) {
    return config.sync.workers + 1;
}

SyncParts::SyncParts(Executor executor, const Config& config, std::string instance,
                     directory::Directory& directory, clerk::ApiChannel& channel,
                     MetricsRegistry& metrics)
    : pool_(executor, "sync", sync_connections(config), config.database, metrics),
      patient_(channel, clerk::for_a_pass),
      prompt_(channel, clerk::prompt),
      pass_refresh_(pool_, directory, patient_, config.sync.guard),
      refresh_(pool_, directory, prompt_, config.sync.guard),
      reconciler_(pool_, directory, patient_, pass_refresh_,
                  reconciler_of(config, std::move(instance))),
      user_refresh_(reconciler_.runs(), refresh_) {}

void SyncParts::observe(const sync::ChangeObserver& observer) {
    pass_refresh_.observe(observer);
    refresh_.observe(observer);
}

Task<> SyncParts::stop() {
    co_await pool_.stop();
}

}  // namespace rollcall::cli
