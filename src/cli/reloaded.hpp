// What a reload of the configuration finds to be other than before.
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "cli/settings.hpp"
#include "pg/pool.hpp"

#include <string>
#include <vector>

namespace rollcall::cli {

// Whether a reload makes a new value count; others wait for a restart.
[[nodiscard]] bool taken_by_reload(const SettingKey& key);

// The settings that changed, never their values.
struct Reloaded {
    std::vector<const SettingKey*> changed;

    // {"keys":[…]}
    [[nodiscard]] std::string as_json() const;
};
[[nodiscard]] Reloaded compare(const Settings& before, const Settings& now);

// What became of the last reload: in metrics, in the log, and for /statusz. One event loop.
class ReloadOutcome {
public:
    explicit ReloadOutcome(MetricsRegistry& metrics);  // the start counts as taken

    void taken();
    // What was in use before goes on.
    void refused(const Error& why);

    // {"since":…,"refused":null} or why the last one was not taken.
    [[nodiscard]] std::string status() const;

private:
    prometheus::Gauge& successful_;
    prometheus::Gauge& time_;
    SystemTime since_;
    std::string refused_;
};

// Entries of the audit log: of the reload, and of each secret that is another one. Never throws.
Task<> audit_reload(pg::Pool& pool, Reloaded found);

}  // namespace rollcall::cli
