#include "cli/sync_once.hpp"

#include "base/log.hpp"
#include "base/random.hpp"
#include "cli/one_shot.hpp"
#include "cli/signals.hpp"
#include "jobs/worker.hpp"
#include "sync/user_comparison.hpp"

#include <unistd.h>

#include <fmt/format.h>
#include <cstdlib>
#include <memory>
#include <utility>

namespace rollcall::cli {
namespace {

Task<int> work_with_parts(const Config& config, pg::Pool& pool,
                          const std::function<Task<int>(SyncParts&)>& work) {
    if (auto ready = co_await has_schema(pool); !ready) co_return report(ready.error());
    auto directory = co_await directory::Directory::open(pool, {.columns = config.users});
    if (!directory) co_return report(directory.error());
    const Executor executor = co_await asio::this_coro::executor;
    MetricsRegistry metrics;
    Random random;
    clerk::ApiChannel channel(executor, config.clerk, metrics);
    SyncParts parts(executor, config, jobs::worker_name(random), **directory, channel, metrics);
    const int code = co_await work(parts);
    co_await parts.stop();
    co_return code;
}

}  // namespace

int with_sync(const Globals& globals, const std::function<Task<int>(SyncParts&)>& work) {
    const auto config = load_config(globals, {}, {.database = true, .clerk = true});
    if (!config) return report(config.error());
    // What went well, the command says in its own words.
    if (config->log_level == log::Level::info) log::set_level(log::Level::warn);
    return run_once(*config, [&](pg::Pool& pool) { return work_with_parts(*config, pool, work); });
}

Task<Result<sync::RunSummary>> watched_run(SyncParts& parts, sync::RunRequest request,
                                           RunProgress::Differs differs) {
    RunProgress progress(isatty(STDERR_FILENO) == 1, real_clock(), std::move(differs));
    Signals signals(co_await asio::this_coro::executor);
    signals.on_stop([&] {
        progress.clear();
        fmt::print(stderr, "rollcall: stopping{}. Once more: stops at once\n",
                   request.dry_run ? "" : "; the next complete pass goes on from here");
        parts.reconciler().interrupt();
    });
    signals.on_second_stop([] { std::_Exit(exit_found); });
    auto summary = co_await parts.reconciler().run(request, &progress);
    co_return summary;
}

Task<Result<sync::RunSummary>> compare_one(SyncParts& parts, std::string clerk_id,
                                           RunProgress::Differs differs) {
    RunProgress progress(/*terminal=*/false, real_clock(), std::move(differs));
    const auto lookup = parts.lookup();
    co_return co_await sync::compare_user(parts.reconciler().runs(), lookup->parts(),
                                          std::move(clerk_id), progress);
}

}  // namespace rollcall::cli
