#include "cli/working.hpp"

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/together.hpp"
#include "clerk/http_backend_api.hpp"
#include "jobs/job_trace.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

namespace rollcall::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view wake_channel = "rollcall_jobs";
constexpr milliseconds notify_interval{50};
constexpr int revocations_batch = 256;
constexpr int revocations_pruned_max = 1'000;

jobs::ChoresConfig chores_of(const Config& config, std::string holder) {
    jobs::ChoresConfig chores = config.chores;
    chores.holder = std::move(holder);
    return chores;
}

}  // namespace

Working::Working(Executor executor, Neighbours neighbours, Observers observers)
    : executor_(executor),
      config_(neighbours.config),
      pool_(neighbours.pool),
      channel_(neighbours.channel),
      clerk_(neighbours.clerk),
      job_metrics_(neighbours.job_metrics),
      observers_(std::move(observers)),
      work_pool_(executor, "work", config_.work.lanes, config_.database, neighbours.metrics),
      queue_(pool_),
      worker_(executor, queue_,
              {.name = neighbours.instance,
               .capacity = config_.work.concurrency,
               .lease = config_.work.lease,
               .retry = config_.work.retry,
               .poll_interval = [this] { return poll_interval(); }},
              job_metrics_),
      chores_(executor, pool_, chores_of(config_, neighbours.instance), job_metrics_),
      notifier_(executor, pool_, std::string(wake_channel), notify_interval,
                std::string(jobs::queue_users)),
      listener_(executor, config_.database, std::string(wake_channel),
                [this](std::string_view whose) { wake(whose); }),
      revocations_(pool_, revocations_batch, job_metrics_, neighbours.metrics),
      revoking_(executor,
                {.name = "revoke_sessions",
                 .full_pass = revocations_batch,
                 .poll_interval = [this] { return poll_interval(); }},
                [this] { return revocations_.run_once(); }),
      revocations_pruning_(executor,
                           {.name = "revocations_pruning",
                            .full_pass = revocations_pruned_max,
                            .poll_interval = [] { return std::chrono::minutes(1); }},
                           [this] { return revocations_.prune(revocations_pruned_max); }) {}

void Working::start() {
    spawn(executor_, "listener", listener_.run());
}

void Working::open(directory::Directory& directory) {
    apply_user_ = std::make_unique<sync::ApplyUser>(
        executor_, work_pool_, directory, clerk_, config_.work.retry,
        sync::ApplyConfig{.batch = config_.work.batch,
                          .lanes = config_.work.lanes,
                          .hold = config_.work.hold_deletion_burst
                                      ? std::optional(config_.sync.guard)
                                      : std::nullopt},
        job_metrics_);
    if (observers_.changed) apply_user_->observe(observers_.changed);
    directory_ = &directory;
    if (channel_ != nullptr) {
        worker_.handle(std::string(jobs::refresh_user),
                       [this](const jobs::Job& job) { return refresh(job); });
    }
    // Kept for a person: set going again it is what it was.
    worker_.handle(std::string(jobs::unknown_event),
                   [](const jobs::Job& /*job*/) -> Task<jobs::Outcome> {
                       co_return jobs::Failed{"no handler for this kind of job"};
                   });
    worker_.handle(
        std::string(jobs::self_test),
        [](const jobs::Job& /*job*/) -> Task<jobs::Outcome> { co_return jobs::Completed{}; });
    if (config_.roles.worker) {
        apply_loop_ = std::make_unique<jobs::WorkLoop>(
            executor_,
            jobs::WorkLoopConfig{.name = "apply_user",
                                 .lanes = config_.work.lanes,
                                 .full_pass = config_.work.batch,
                                 .gather = milliseconds(20),
                                 .poll_interval = [this] { return poll_interval(); },
                                 .busy = &job_metrics_.workers_busy(jobs::queue_users)},
            [this] { return apply_user_->run_once(); });
        job_metrics_.workers(jobs::queue_users).Set(config_.work.lanes);
        apply_loop_->start();
        revoking_.start();
        worker_.start();
    }
    if (config_.roles.scheduler) {
        chores_.start();
        revocations_pruning_.start();
    }
}

// Over a way to Clerk of its own, whose requests belong to the job's trace.
Task<jobs::Outcome> Working::refresh(const jobs::Job& job) {
    clerk::HttpBackendApi clerk(*channel_, clerk::prompt, jobs::trace_of(job));
    sync::Refresh refresh(pool_, *directory_, clerk, config_.sync.guard);
    refresh.observe(observers_.changed, observers_.held);
    if (key_trusted_) refresh.trust_key();
    jobs::Outcome outcome = co_await refresh.handle(job);
    key_trusted_ = key_trusted_ || refresh.trusts_key();
    co_return outcome;
}

// Where notifications arrive a second is enough; through a pooler they may not.
Duration Working::poll_interval() const {
    return listening() ? std::max<Duration>(config_.work.poll_interval, std::chrono::seconds(1))
                       : config_.work.poll_interval;
}

void Working::users_added() {
    wake(jobs::queue_users);
    notifier_.notify();
}

// Who works off the queue `whose`; for "", which SQL functions notify, everyone.
void Working::wake(std::string_view whose) {
    if (apply_loop_ != nullptr) {
        apply_loop_->wake();
        revoking_.wake();
    }
    if (config_.roles.worker && whose != jobs::queue_users) worker_.wake();
}

Task<int> Working::work_off() {
    if (apply_user_ == nullptr) throw Unavailable("the schema is not ready");
    const auto end = std::chrono::steady_clock::now() + config_.cron_time_limit;
    int worked = co_await chores_.rescue();
    while (std::chrono::steady_clock::now() < end) {
        const int applied = co_await revocations_.run_once() + co_await apply_user_->run_once();
        const int left = co_await worker_.run_due(std::chrono::duration_cast<milliseconds>(
            std::max<Duration>(end - std::chrono::steady_clock::now(), milliseconds(1))));
        worked += applied + left;
        if (applied + left > 0) continue;
        if (!apply_user_->asking()) break;
        co_await apply_user_->asked(end - std::chrono::steady_clock::now());
    }
    co_return worked;
}

std::string Working::table_takes_changes() const {
    if (apply_user_ == nullptr) return "null";
    return apply_user_->standstill().empty() ? "true" : "false";
}

Task<bool> Working::stop(Duration limit) {
    bool applied = false;
    bool worked = false;
    std::vector<Task<>> stops;
    stops.push_back(stop_applying(limit, applied));
    stops.push_back(stop_worker(limit, worked));
    co_await together(std::move(stops));
    co_return applied&& worked;
}

// What has not ended by then is as it was in the queue: due again.
Task<> Working::stop_applying(Duration limit, bool& ended) {
    if (apply_user_ != nullptr) apply_user_->stop();
    const auto deadline = std::chrono::steady_clock::now() + limit;
    const bool revoked = co_await revoking_.stop(limit);
    ended = (apply_loop_ == nullptr || co_await apply_loop_->stop(limit)) && revoked;
    if (apply_user_ == nullptr) co_return;
    ended = co_await apply_user_->asked(deadline - std::chrono::steady_clock::now()) && ended;
    if (!ended) log::warn("changes_left_for_later");
}

Task<> Working::stop_worker(Duration limit, bool& ended) {
    const int abandoned = co_await worker_.stop(std::chrono::duration_cast<milliseconds>(limit));
    if (abandoned > 0) log::warn("jobs_given_back", {{"jobs", abandoned}});
    ended = abandoned == 0;
}

Task<> Working::stop_chores() {
    co_await revocations_pruning_.stop(milliseconds(1'000));
    co_await chores_.stop();
}

void Working::stop_listening() {
    listener_.stop();
}

Task<> Working::disconnect() {
    co_await work_pool_.stop();
}

}  // namespace rollcall::cli
