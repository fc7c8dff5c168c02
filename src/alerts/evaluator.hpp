// Looks at the conditions and decides on the alerts: log, metric, and the message that then waits
// in `rollcall.alerts`. One instance does so at a time (lease "alerts"); what it knows is in the
// database, so whoever comes after it goes on from there. A condition that cannot be read stays as
// it was and holds up no other. Each instance tells of its own circuits.
#pragma once

#include "alerts/alert_state.hpp"
#include "alerts/conditions.hpp"
#include "base/metrics.hpp"
#include "base/task.hpp"
#include "jobs/lease.hpp"
#include "jobs/metrics.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace rollcall::alerts {

// An upstream's, of this process.
struct Circuit {
    std::string upstream;
    std::function<bool()> closed;
};

struct EvaluatorConfig {
    std::string instance;   // unique among processes: jobs::worker_name()
    bool evaluates = true;  // else it only tells of its circuits
    std::chrono::milliseconds interval = std::chrono::seconds(30);  // between calls of run_once()
    AlertPolicy policy;
    ConditionsConfig conditions;
};

class Evaluator {
public:
    // All references must outlive this.
    Evaluator(pg::Pool& pool, EvaluatorConfig config, std::vector<Circuit> circuits,
              jobs::Metrics& job_metrics, MetricsRegistry& metrics);
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;

    // One look at everything; whether there is a new message.
    Task<bool> run_once();
    // Lets another instance go on.
    Task<> release();

private:
    struct Look {
        const Condition* condition = nullptr;
        std::optional<Sighting> sighting;
    };
    Task<> report_circuits();
    Task<bool> on_duty();
    Task<> look_at(const Condition& condition, std::vector<Look>& looks);
    Task<bool> decide_all(const std::vector<Look>& looks);
    Task<bool> decide_one(pg::Transaction& transaction, const pg::Rows& rows, int row,
                          const Look& look);
    void leave_duty();

    pg::Pool& pool_;
    EvaluatorConfig config_;
    std::vector<Condition> conditions_;
    std::vector<Circuit> circuits_;
    bool reported_ = false;  // of a circuit that was not closed
    jobs::Lease lease_;
    bool leading_ = false;
    jobs::Metrics& job_metrics_;
    std::map<std::string, prometheus::Gauge*, std::less<>> active_;
};

}  // namespace rollcall::alerts
