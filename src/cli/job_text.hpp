// Jobs as the command line prints them for people; for programs admin/job_json.hpp.
#pragma once

#include "jobs/queue_admin.hpp"

#include <string>
#include <vector>

namespace rollcall::cli {

[[nodiscard]] std::string to_text(const jobs::JobPage& page);
[[nodiscard]] std::string to_text(const jobs::JobDetails& job);
[[nodiscard]] std::string to_text(const std::vector<jobs::QueueCount>& counts,
                                  const std::vector<jobs::StuckJob>& stuck);
[[nodiscard]] std::string to_text(const std::vector<jobs::FailureReason>& reasons);

}  // namespace rollcall::cli
