// The alerts of the service, wired from the settings.
#pragma once

#include "alerts/watch.hpp"
#include "base/metrics.hpp"
#include "base/task.hpp"
#include "clerk/api_channel.hpp"
#include "cli/config.hpp"
#include "jobs/metrics.hpp"
#include "pg/pool.hpp"
#include "supabase/auth_channel.hpp"

#include <memory>
#include <string>

namespace rollcall::cli {

// All references, and the channels unless they are null, must outlive what is returned. `instance`
// is unique among processes: jobs::worker_name().
[[nodiscard]] std::unique_ptr<alerts::Watch> make_alerts(Executor executor, pg::Pool& pool,
                                                         const Config& config, std::string instance,
                                                         const clerk::ApiChannel* clerk,
                                                         const supabase::AuthChannel* supabase,
                                                         jobs::Metrics& job_metrics,
                                                         MetricsRegistry& metrics);

}  // namespace rollcall::cli
