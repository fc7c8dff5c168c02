// What `serve` has of the mirror in Supabase Auth: a lane of the queue with a worker, connections
// and a way to Auth of its own, so that whatever Auth does, nobody else waits. Without SUPABASE_URL
// and a key there are only its metrics, at zero, and who is told that it is off.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "clerk/api_channel.hpp"
#include "cli/config.hpp"
#include "directory/directory.hpp"
#include "jobs/metrics.hpp"
#include "mirror/compare.hpp"
#include "mirror/metrics.hpp"
#include "supabase/auth_channel.hpp"

#include <memory>
#include <string>

namespace rollcall::cli {

// Comparisons as the settings say; `instance` is unique among processes.
[[nodiscard]] mirror::CompareConfig compare_config(const Config& config, std::string instance);

class Mirroring {
public:
    // `clerk` is null without a secret key. All references must outlive this; `instance` is unique
    // among processes.
    Mirroring(Executor executor, const Config& config, std::string instance,
              clerk::ApiChannel* clerk, MetricsRegistry& registry, jobs::Metrics& job_metrics);
    ~Mirroring();
    Mirroring(const Mirroring&) = delete;
    Mirroring& operator=(const Mirroring&) = delete;

    // The schema is there. Begins where this process has the role worker.
    void open(directory::Directory& directory);
    // Rows have changed here.
    void wake();
    // Works off what is due; for platforms that only have a scheduler. 0 before open().
    Task<int> work_off(std::chrono::milliseconds limit);

    // JSON for /statusz. Asks the database when the mirror is on and open.
    Task<std::string> status();
    // Null while the mirror is off.
    [[nodiscard]] const supabase::AuthChannel* channel() const;

    // Nothing new is begun; false when a job had not ended within `limit`: it is due again, here or
    // elsewhere.
    Task<bool> stop(Duration limit);
    Task<> disconnect();

private:
    struct Parts;

    mirror::Metrics metrics_;
    std::unique_ptr<Parts> parts_;  // null: off
};

}  // namespace rollcall::cli
