// Shares commits: what arrives while every lane is busy goes together in the next INSERT, so one
// flush answers many. There is no timer and no added wait when idle. Bounded in events that wait
// and in time. Use one per event loop.
#pragma once

#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "jobs/queue.hpp"
#include "webhooks/config.hpp"
#include "webhooks/event_job.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rollcall::webhooks {

struct Stored {
    std::string job_id;       // of the first job with this event id
    bool duplicate = false;   // it was there already
    bool for_review = false;  // kept for a person
    bool spooled = false;     // in the spool, not yet in the database
};

class Intake {
public:
    // What stores a batch in one commit: JobQueue::enqueue.
    using Enqueue =
        std::function<Task<Result<std::vector<jobs::Enqueued>>>(std::span<const jobs::NewJob>)>;

    // What `enqueue` refers to must outlive the intake, up to its stop().
    Intake(Executor executor, const WebhookConfig& config, Enqueue enqueue,
           MetricsRegistry& metrics);
    ~Intake();
    Intake(const Intake&) = delete;
    Intake& operator=(const Intake&) = delete;

    // Returns after the commit that holds `job`. `unavailable` when the queue is full, or the
    // commit takes longer than the limit (it may still happen: a repetition is then a duplicate).
    // What the store throws is thrown to everyone in that batch. A job that the database refuses is
    // kept for a person; where it refuses that, too, the error is another one than `unavailable`.
    // Its neighbours in the batch do not notice.
    Task<Result<Stored>> store(EventJob job);

    // Waits for the batches in flight. Later calls to store() are unavailable.
    Task<> stop();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace rollcall::webhooks
