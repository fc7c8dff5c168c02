// What `serve` has of webhooks: the endpoint, the intake that stores what it verified, over
// connections of its own, the spool, and the record of deliveries.
#pragma once

#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "cli/config.hpp"
#include "cli/door_spool.hpp"
#include "http/router.hpp"
#include "jobs/metrics.hpp"
#include "jobs/queue.hpp"
#include "jobs/work_loop.hpp"
#include "pg/pool.hpp"
#include "webhooks/delivery_log.hpp"
#include "webhooks/endpoint.hpp"
#include "webhooks/intake.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rollcall::cli {

class Door {
public:
    struct Neighbours {  // all must outlive the door
        const Config& config;
        http::AddressGuard& guard;
        pg::Pool& pool;  // the record of deliveries; never asked before a webhook's answer
        Random& random;
        const std::string& instance;  // unique among processes
        MetricsRegistry& metrics;
        jobs::Metrics& job_metrics;
    };
    // Told of each batch once it is committed, before its deliveries are answered.
    using Stored = std::function<void(std::span<const jobs::NewJob> batch,
                                      std::span<const jobs::Enqueued> stored)>;

    Door(Executor executor, Neighbours neighbours, Stored stored);
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    // Where this process takes webhooks.
    void add_routes(http::Router& router);
    // Before anything listens. An error when there is to be a spool and cannot be.
    Result<void> open_spool();
    // Begins to write down what comes, once the schema is there: see open().
    void start();
    void open();

    [[nodiscard]] const DoorSpool& spool() const { return spool_; }

    // Takes the webhook secrets and the role rules.
    void reload(const Config& config);

    // After the listener has closed, in this order: the batches in flight end (false when the spool
    // has not let go within `limit`); what is still in memory of the record is written by flush(),
    // which is only called while the database answers.
    Task<bool> stop_intake(Duration limit);
    Task<> stop_recording();
    Task<> flush();
    Task<> disconnect();

private:
    Task<Result<std::vector<jobs::Enqueued>>> enqueue(std::span<const jobs::NewJob> batch);
    Task<int> record();
    Task<int> prune();

    const Config& config_;
    pg::Pool& pool_;
    jobs::Metrics& job_metrics_;
    Stored stored_;
    pg::Pool intake_pool_;
    jobs::JobQueue queue_;
    webhooks::DeliveryLog deliveries_;
    webhooks::Intake intake_;
    DoorSpool spool_;
    webhooks::Endpoint endpoint_;
    jobs::WorkLoop recording_;
    jobs::WorkLoop pruning_;
    bool has_schema_ = false;
};

}  // namespace rollcall::cli
