// What the door has of a spool: the files, who stores from them, and what is told of them, in a
// process that takes no webhooks too: it may have taken some before. Without `spool.dir` there are
// only its metrics, at zero.
#pragma once

#include "alerts/message.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "cli/config.hpp"
#include "jobs/work_loop.hpp"
#include "pg/pool.hpp"
#include "spool/spool.hpp"
#include "webhooks/intake.hpp"
#include "webhooks/spool_metrics.hpp"
#include "webhooks/spooling.hpp"

#include <memory>
#include <optional>
#include <string>

namespace rollcall::cli {

class DoorSpool {
public:
    struct Neighbours {  // all must outlive this
        const Config& config;
        pg::Pool& pool;         // what is told
        pg::Pool& intake_pool;  // asked before the intake is
        webhooks::Intake& intake;
        const std::string& instance;
        MetricsRegistry& metrics;
    };
    DoorSpool(Executor executor, Neighbours neighbours);
    ~DoorSpool();
    DoorSpool(const DoorSpool&) = delete;
    DoorSpool& operator=(const DoorSpool&) = delete;

    // Takes the directory and reads it, before anything listens. bad_configuration where that
    // cannot be, or another process has it.
    Result<void> open();
    // From now on a person is told when webhooks wait too long.
    void watch();
    // The schema is there: what waits may be stored.
    void start();
    void use(const webhooks::RoleRules& roles);

    [[nodiscard]] webhooks::Spooling* spooling() const;  // null: off
    // JSON for /statusz.
    [[nodiscard]] std::string status() const;
    // While webhooks have waited for too long.
    [[nodiscard]] std::optional<alerts::AlertMessage> alarm() const;

    // While the intake still works: nothing more is stored from it. False when something had not
    // ended within `limit`.
    Task<bool> stop_draining(Duration limit);
    // After the intake has ended.
    Task<bool> close(Duration limit);

private:
    struct Parts;

    webhooks::SpoolMetrics metrics_;
    std::unique_ptr<Parts> parts_;  // null: off
};

}  // namespace rollcall::cli
