#include "sync/asking_jobs.hpp"

#include "jobs/work_loop.hpp"

#include <chrono>
#include <utility>

namespace rollcall::sync {

void AskingJobs::add(const std::string& id) {
    if (stopping_ || waiting_.size() >= config_.waiting_max) return;
    if (!known_.insert(id).second) return;
    waiting_.push_back(id);
    if (running_ >= config_.at_once) return;
    ++running_;
    spawn(executor_, "asking_jobs", run());
}

Task<> AskingJobs::run() {
    while (!waiting_.empty()) {
        const std::string id = std::exchange(waiting_.front(), {});
        waiting_.pop_front();
        const bool well = co_await jobs::guarded("asking_job_interrupted", work_(id));
        known_.erase(id);
        if (!well) drop_waiting();
    }
    --running_;
    for (Wakeup* watcher : watchers_) watcher->wake();
}

void AskingJobs::drop_waiting() {
    for (const std::string& id : std::exchange(waiting_, {})) known_.erase(id);
}

void AskingJobs::stop() {
    stopping_ = true;
    drop_waiting();
}

Task<bool> AskingJobs::ended(Duration limit) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + bounded(limit);
    Wakeup woken(executor_);
    watchers_.push_back(&woken);
    while (running_ > 0 && co_await woken.wait(deadline - std::chrono::steady_clock::now())) {
    }
    std::erase(watchers_, &woken);
    co_return running_ == 0;
}

}  // namespace rollcall::sync
