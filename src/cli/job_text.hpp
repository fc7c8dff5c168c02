// Jobs as the command line and /statusz print them: a table for people, JSON for programs.
#pragma once

#include "jobs/queue_admin.hpp"

#include <string>
#include <vector>

namespace rollcall::cli {

[[nodiscard]] std::string to_text(const jobs::JobPage& page);
[[nodiscard]] std::string to_json(const jobs::JobPage& page);
[[nodiscard]] std::string to_text(const jobs::JobDetails& job);
[[nodiscard]] std::string to_json(const jobs::JobDetails& job);
[[nodiscard]] std::string to_text(const std::vector<jobs::QueueCount>& counts,
                                  const std::vector<jobs::StuckJob>& stuck);
[[nodiscard]] std::string to_json(const std::vector<jobs::QueueCount>& counts,
                                  const std::vector<jobs::StuckJob>& stuck);
[[nodiscard]] std::string to_json(const std::vector<jobs::QueueDepth>& depths);

}  // namespace rollcall::cli
