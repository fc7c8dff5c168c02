// What this binary is and since when it runs, as metrics.
#pragma once

#include "base/metrics.hpp"

namespace rollcall::cli {

// rollcall_build_info and rollcall_start_time_seconds.
void publish_build_info(MetricsRegistry& metrics);

}  // namespace rollcall::cli
