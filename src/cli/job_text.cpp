#include "cli/job_text.hpp"

#include "base/json.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

namespace rollcall::cli {
namespace {

namespace json = boost::json;

json::value text_or_null(const std::string& text) {
    if (text.empty()) return nullptr;
    return json::value(text);
}

// Text that the database gives as JSON; "" is null.
json::value embedded(const std::string& text) {
    if (text.empty()) return nullptr;
    boost::system::error_code error;
    auto value = json::parse(text, error);
    return error ? json::value(text) : value;
}

json::object to_object(const jobs::JobSummary& job) {
    return {{"id", job.id},
            {"job_type", job.kind},
            {"status", job.status},
            {"priority", job.priority},
            {"attempts", job.attempts},
            {"max_attempts", job.attempts_max ? json::value(*job.attempts_max) : nullptr},
            {"subject", text_or_null(job.subject)},
            {"event_id", text_or_null(job.event_id)},
            {"error", text_or_null(job.error)},
            {"created_at", text_or_null(job.created_at)},
            {"updated_at", text_or_null(job.updated_at)},
            {"run_at", text_or_null(job.run_at)},
            {"processed_at", text_or_null(job.processed_at)},
            {"leased_by", text_or_null(job.leased_by)},
            {"lease_until", text_or_null(job.lease_until)}};
}

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

std::string to_json(const jobs::JobPage& page) {
    json::array list;
    for (const jobs::JobSummary& job : page.jobs) list.emplace_back(to_object(job));
    const json::object out{{"jobs", std::move(list)},
                           {"next", page.next ? json::value(*page.next) : nullptr}};
    return json::serialize(out) + "\n";
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

std::string to_json(const jobs::JobDetails& job) {
    json::object out = to_object(job.summary);
    out["payload"] = embedded(job.payload);
    out["result"] = embedded(job.result);
    out["original_event"] = job.original_event ? json::value(*job.original_event) : nullptr;
    out["blanked_at"] = text_or_null(job.blanked_at);
    json::array history;
    for (const jobs::JobTransition& t : job.history) {
        history.emplace_back(
            json::object{{"status", t.status},
                         {"at", t.at},
                         {"attempt", t.attempt ? json::value(*t.attempt) : nullptr},
                         {"error", text_or_null(t.error)},
                         {"worker", text_or_null(t.worker)}});
    }
    out["history"] = std::move(history);
    return json::serialize(out) + "\n";
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

std::string to_json(const std::vector<jobs::QueueCount>& counts,
                    const std::vector<jobs::StuckJob>& stuck) {
    json::array count_list;
    for (const jobs::QueueCount& c : counts) {
        count_list.emplace_back(json::object{
            {"job_type", c.kind},
            {"status", c.status},
            {"count", c.jobs},
            {"due", c.due},
            {"oldest_at", text_or_null(c.oldest_at)},
            {"average_seconds", c.average_seconds ? json::value(*c.average_seconds) : nullptr}});
    }
    json::array stuck_list;
    for (const jobs::StuckJob& s : stuck) {
        stuck_list.emplace_back(json::object{{"id", s.id},
                                             {"job_type", s.kind},
                                             {"status", s.status},
                                             {"attempts", s.attempts},
                                             {"since", s.since},
                                             {"worker", text_or_null(s.worker)},
                                             {"reason", s.reason}});
    }
    return json::serialize(
               json::object{{"jobs", std::move(count_list)}, {"stuck", std::move(stuck_list)}}) +
           "\n";
}

std::string to_json(const std::vector<jobs::QueueDepth>& depths) {
    std::string out = "[";
    for (const jobs::QueueDepth& depth : depths) {
        out += fmt::format(
            R"({}{{"queue":{},"ready":{},"scheduled":{},"running":{},"retry":{},"dead":{},)"
            R"("oldest_ready_age_seconds":{:.3f}}})",
            out.size() > 1 ? "," : "", json_string(depth.queue), depth.ready, depth.scheduled,
            depth.running, depth.retry, depth.dead, depth.oldest_ready_age_seconds);
    }
    return out + "]";
}

}  // namespace rollcall::cli
