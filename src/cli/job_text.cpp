#include "cli/job_text.hpp"

#include <fmt/format.h>

namespace rollcall::cli {
namespace {

std::string line(std::string_view label, const std::string& value) {
    return value.empty() ? "" : fmt::format("{:<15} {}\n", label, value);
}

}  // namespace

std::string to_text(const jobs::JobPage& page) {
    std::string out = fmt::format("{:<36}  {:<13} {:<10} {:>3}  {:<24}  {:<32}  {}\n", "ID", "TYPE",
                                  "STATUS", "TRY", "CREATED", "SUBJECT", "ERROR");
    for (const jobs::JobSummary& job : page.jobs) {
        out += fmt::format("{:<36}  {:<13} {:<10} {:>3}  {:<24}  {:<32}  {}\n", job.id, job.kind,
                           job.status, job.attempts, job.created_at, job.subject, job.error);
    }
    if (page.next) out += fmt::format("more: --after {}\n", *page.next);
    return out;
}

std::string to_text(const jobs::JobDetails& job) {
    const jobs::JobSummary& s = job.summary;
    std::string out = line("id", s.id) + line("type", s.kind) + line("status", s.status) +
                      line("priority", std::to_string(s.priority)) +
                      line("attempts", std::to_string(s.attempts)) + line("subject", s.subject) +
                      line("event id", s.event_id) + line("error", s.error) +
                      line("created", s.created_at) + line("due", s.run_at) +
                      line("processed", s.processed_at) + line("leased by", s.leased_by) +
                      line("lease until", s.lease_until) + line("blanked", job.blanked_at) +
                      line("payload", job.payload) + line("result", job.result) + "history\n";
    for (const jobs::JobTransition& t : job.history) {
        out += fmt::format("  {:<24}  {:<10}{}{}\n", t.at, t.status,
                           t.attempt ? fmt::format(" attempt {}", *t.attempt) : "",
                           t.error.empty() ? "" : ": " + t.error);
    }
    return out;
}

std::string to_text(const std::vector<jobs::QueueCount>& counts,
                    const std::vector<jobs::StuckJob>& stuck) {
    std::string out = fmt::format("{:<16} {:<10} {:>10} {:>10}  {:<24}  {}\n", "TYPE", "STATUS",
                                  "JOBS", "DUE", "OLDEST", "AVERAGE");
    for (const jobs::QueueCount& c : counts) {
        out += fmt::format("{:<16} {:<10} {:>10} {:>10}  {:<24}  {}\n", c.kind, c.status, c.jobs,
                           c.due, c.oldest_at,
                           c.average_seconds ? fmt::format("{:.3f} s", *c.average_seconds) : "");
    }
    for (const jobs::StuckJob& s : stuck) {
        out += fmt::format("stuck: {} {} {} since {}: {}\n", s.id, s.kind, s.status, s.since,
                           s.reason);
    }
    return out;
}

std::string to_text(const std::vector<jobs::FailureReason>& reasons) {
    std::string out = fmt::format("{:>8}  {:<13}  {:<27}  {:<36}  {}\n", "JOBS", "TYPE", "LAST",
                                  "EXAMPLE", "REASON");
    for (const jobs::FailureReason& one : reasons) {
        out += fmt::format("{:>8}  {:<13}  {:<27}  {:<36}  {}\n", one.jobs, one.kind, one.last_at,
                           one.example, one.reason);
    }
    return out;
}

}  // namespace rollcall::cli
