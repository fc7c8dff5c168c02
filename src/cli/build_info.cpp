#include "cli/build_info.hpp"

#include "cli/version.hpp"
#include "crypto/digest.hpp"
#include "pg/pool.hpp"

namespace rollcall::cli {

void publish_build_info(MetricsRegistry& metrics) {
    metrics.gauge("rollcall_build_info", "What this binary is; always 1")
        .Add({{"version", std::string(version())},
              {"commit", std::string(commit())},
              {"openssl", crypto::library_version()},
              {"libpq", pg::library_version()}})
        .Set(1);
    metrics.gauge("rollcall_start_time_seconds", "When this service started, in seconds since 1970")
        .Add({})
        .SetToCurrentTime();
}

}  // namespace rollcall::cli
