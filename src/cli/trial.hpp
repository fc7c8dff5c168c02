// `rollcall doctor --self-test URL`: a deployment is tried out as Clerk would use it. Its
// certificate must be good, and for two weeks more, or that is warned of. A signed event that
// changes nobody goes to its public address; then its job must run, the health routes answer, and
// the metrics and the schema be as they ought to. Each step is a finding; the first that fails ends
// it, since those after it would say the same.
#pragma once

#include "base/task.hpp"
#include "cli/config.hpp"
#include "cli/finding.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <string>

namespace rollcall::cli {

struct SelfTestTarget {
    std::string url;        // http or https; without a path /webhooks/clerk is added
    std::string admin_url;  // of the admin listener; "": metrics are not looked at
    std::chrono::milliseconds wait{60'000};  // for the job

    // Where the delivery goes, and the address without a path, for the health routes.
    [[nodiscard]] std::string delivery_url() const;
    [[nodiscard]] std::string origin() const;
};

// Refuses what cannot be tried: bad_configuration without a webhook secret, or without a way to see
// the job (DATABASE_URL, or an admin address and ROLLCALL_ADMIN_TOKEN).
[[nodiscard]] Result<void> check_self_test(const Config& config, const SelfTestTarget& target);

// The exit code: 0, 1 (wrong), 69 (not reachable), 75 (the job did not run in time). The database
// is asked where the settings name one. Throws Unavailable when that is away.
Task<int> self_test(Executor executor, pg::Pool& pool, const Config& config, SelfTestTarget target,
                    Findings& findings);

}  // namespace rollcall::cli
