// What is watched. A condition is one statement (conditions.sql, watch.sql) over rollcall's tables,
// so that any instance sees the same, and a threshold; it holds when the statement returns a row. A
// new one is a section there, a line here and a setting.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::alerts {

// Thresholds; zero (false) switches a condition off.
struct ConditionsConfig {
    bool polls = true;           // this installation polls Clerk …
    bool takes_webhooks = true;  // … takes webhooks …
    bool mirrors = true;         // … and mirrors; without, some mean nothing, or something else
    int sync_failures = 3;       // passes in a row
    std::chrono::milliseconds sync_stale = std::chrono::minutes(30);
    bool deletes_held = true;
    std::chrono::milliseconds webhook_silence = std::chrono::hours(6);
    double signature_failures_ratio = 0.05;  // of what came signed within ten minutes …
    int signature_failures_min = 5;          // … and at least so many
    int dead_letters = 1;                    // within an hour
    std::chrono::milliseconds queue_stuck = std::chrono::minutes(5);
    int drift_passes = 2;  // in a row that found …
    int drift_users = 1;   // … at least so many users who were not as Clerk has them
    std::chrono::milliseconds circuit_open = std::chrono::minutes(10);
    std::chrono::milliseconds spooling = std::chrono::minutes(1);
    std::chrono::milliseconds mirror_behind = std::chrono::minutes(15);
    bool deletion_burst = true;       // more deletions by webhook within an hour …
    std::int64_t guarded_users = 10;  // … than a pass may make: so many, …
    double guarded_ratio = 0.01;      // … and this share of all users
    bool admin_granted = true;
    int foreign_jobs = 1;                  // within ten minutes
    int signature_failures_network = 100;  // of one network, within ten minutes
};

// That a condition holds.
struct Sighting {
    SystemTime since;
    std::string labels;  // a JSON object
    std::string summary;
};

struct Condition {
    std::string_view alert;
    bool enabled = true;
    const pg::Statement* statement = nullptr;
    pg::Params thresholds;
};

// Every one there is, those that are switched off too.
[[nodiscard]] std::vector<Condition> conditions(const ConditionsConfig& config);

// Nothing when it does not hold. Throws Unavailable when the database does not say.
Task<std::optional<Sighting>> look(pg::Pool& pool, const Condition& condition);

}  // namespace rollcall::alerts
