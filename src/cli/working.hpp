// What `serve` has of the queue's workers: who applies changes to the users table, who runs the
// jobs with outside effects, the chores, and how each hears of new work.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "cli/config.hpp"
#include "directory/directory.hpp"
#include "jobs/chores.hpp"
#include "jobs/metrics.hpp"
#include "jobs/queue.hpp"
#include "jobs/work_loop.hpp"
#include "jobs/worker.hpp"
#include "pg/listener.hpp"
#include "pg/notifier.hpp"
#include "pg/pool.hpp"
#include "sync/apply_user.hpp"
#include "sync/refresh.hpp"
#include "sync/session_revocations.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace rollcall::cli {

class Working {
public:
    struct Neighbours {  // all must outlive this
        const Config& config;
        pg::Pool& pool;               // all but applying, which has connections of its own
        clerk::ApiChannel* channel;   // to Clerk; null: nobody can be asked
        clerk::BackendApi* clerk;     // the same
        const std::string& instance;  // unique among processes
        MetricsRegistry& metrics;
        jobs::Metrics& job_metrics;
    };
    // Told of rows that change, and of each deletion that was held back.
    struct Observers {
        sync::ChangeObserver changed;
        std::function<void()> held;
    };

    Working(Executor executor, Neighbours neighbours, Observers observers);
    Working(const Working&) = delete;
    Working& operator=(const Working&) = delete;

    // Listens for what other processes and SQL functions add.
    void start();
    // The schema is there: begins what the roles of this process say. `directory` must outlive
    // this.
    void open(directory::Directory& directory);

    // Changes of users were committed here: works them off and tells the other processes.
    void users_added();
    // Everything that is due, within the time limit of the cron route; for platforms that only have
    // a scheduler. Unavailable before open().
    Task<int> work_off();

    [[nodiscard]] bool listening() const { return listener_.listening(); }
    // "true", "false", or "null" before open().
    [[nodiscard]] std::string table_takes_changes() const;

    // Nothing new is begun; false when something had not ended within `limit`: it is due again,
    // here or elsewhere.
    Task<bool> stop(Duration limit);
    Task<> stop_chores();
    void stop_listening();
    Task<> disconnect();

private:
    [[nodiscard]] Duration poll_interval() const;
    void wake(std::string_view whose);
    Task<> stop_applying(Duration limit, bool& ended);
    Task<> stop_worker(Duration limit, bool& ended);
    Task<jobs::Outcome> refresh(const jobs::Job& job);

    Executor executor_;
    const Config& config_;
    pg::Pool& pool_;
    clerk::ApiChannel* channel_;
    clerk::BackendApi* clerk_;
    jobs::Metrics& job_metrics_;
    Observers observers_;
    pg::Pool work_pool_;
    jobs::JobQueue queue_;
    jobs::Worker worker_;
    jobs::Chores chores_;
    pg::Notifier notifier_;
    pg::Listener listener_;
    std::unique_ptr<sync::ApplyUser> apply_user_;  // this and what follows: since open()
    directory::Directory* directory_ = nullptr;
    bool key_trusted_ = false;  // Clerk's, found out by an earlier job
    std::unique_ptr<jobs::WorkLoop> apply_loop_;
    sync::SessionRevocations revocations_;
    jobs::WorkLoop revoking_;
    jobs::WorkLoop revocations_pruning_;
};

}  // namespace rollcall::cli
