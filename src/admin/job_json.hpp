// Jobs, and what the audit log tells of them, as the admin API answers, the command line prints
// with
// --json and /statusz shows.
#pragma once

#include "audit/audit_log.hpp"
#include "jobs/queue_admin.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace rollcall::admin {

enum class Personal : std::uint8_t {
    shown,
    masked,  // neither e-mail nor name nor the event's bytes
};

[[nodiscard]] std::string to_json(const jobs::JobPage& page);
[[nodiscard]] std::string to_json(const jobs::JobDetails& job, Personal personal);
[[nodiscard]] std::string to_json(const std::vector<jobs::QueueCount>& counts,
                                  const std::vector<jobs::StuckJob>& stuck);
[[nodiscard]] std::string to_json(const std::vector<jobs::QueueDepth>& depths);
[[nodiscard]] std::string to_json(const std::vector<jobs::FailureReason>& reasons);
[[nodiscard]] std::string to_json(jobs::Verb verb, const jobs::Changed& changed, bool dry_run);
[[nodiscard]] std::string to_json(const audit::EntryPage& page);

}  // namespace rollcall::admin
