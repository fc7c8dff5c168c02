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
      directory_(directory),
      channel_(channel),
      guard_(config.sync.guard),
      patient_(channel, clerk::for_a_pass),
      pass_refresh_(pool_, directory, patient_, guard_),
      reconciler_(pool_, directory, patient_, pass_refresh_,
                  reconciler_of(config, std::move(instance))),
      user_refresh_(reconciler_.runs(), [this] { return lookup(); }) {}

// Prompt: somebody waits for this user.
std::unique_ptr<sync::UserLookup> SyncParts::lookup() {
    auto made = std::make_unique<sync::UserLookup>(
        pool_, directory_, std::make_unique<clerk::HttpBackendApi>(channel_, clerk::prompt),
        guard_);
    made->refresh().observe(changed_, held_);
    return made;
}

void SyncParts::observe(sync::ChangeObserver changed, std::function<void()> held) {
    changed_ = std::move(changed);
    held_ = std::move(held);
    pass_refresh_.observe(changed_, held_);
}

Task<> SyncParts::stop() {
    co_await pool_.stop();
}

}  // namespace rollcall::cli
