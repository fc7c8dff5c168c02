#include "admin/job_json.hpp"

#include "base/json.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

namespace rollcall::admin {
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

// A payload whose e-mail and name cannot be read, only that they are there.
json::value without_personal(json::value payload) {
    if (auto* object = payload.if_object(); object != nullptr) {
        for (const char* key : {"email", "name"}) {
            if (auto* value = object->if_contains(key); value != nullptr && !value->is_null()) {
                *value = "***";
            }
        }
    }
    return payload;
}

json::array id_array(const std::vector<std::string>& ids) {
    json::array out;
    out.reserve(ids.size());
    for (const std::string& id : ids) out.emplace_back(id);
    return out;
}

}  // namespace

std::string to_json(const jobs::JobPage& page) {
    json::array list;
    for (const jobs::JobSummary& job : page.jobs) list.emplace_back(to_object(job));
    const json::object out{{"jobs", std::move(list)},
                           {"next", page.next ? json::value(*page.next) : nullptr}};
    return json::serialize(out) + "\n";
}

std::string to_json(const jobs::JobDetails& job, Personal personal) {
    const bool masked = personal == Personal::masked;
    json::object out = to_object(job.summary);
    out["payload"] = masked ? without_personal(embedded(job.payload)) : embedded(job.payload);
    out["result"] = embedded(job.result);
    out["masked"] = masked;
    out["original_event"] =
        job.original_event && !masked ? json::value(*job.original_event) : nullptr;
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

std::string to_json(const std::vector<jobs::FailureReason>& reasons) {
    json::array list;
    for (const jobs::FailureReason& one : reasons) {
        list.emplace_back(json::object{{"job_type", one.kind},
                                       {"reason", one.reason},
                                       {"count", one.jobs},
                                       {"last_at", text_or_null(one.last_at)},
                                       {"example", one.example}});
    }
    return json::serialize(json::object{{"reasons", std::move(list)}}) + "\n";
}

std::string to_json(jobs::Verb verb, const jobs::Changed& changed, bool dry_run) {
    const json::object out{{"verb", verb == jobs::Verb::retry ? "retry" : "cancel"},
                           {"dry_run", dry_run},
                           {"matched", changed.matched.size()},
                           {"changed", changed.changed.size()},
                           {"more", changed.more},
                           {"ids", id_array(dry_run ? changed.matched : changed.changed)}};
    return json::serialize(out) + "\n";
}

std::string to_json(const audit::EntryPage& page) {
    json::array list;
    for (const audit::StoredEntry& entry : page.entries) {
        list.emplace_back(json::object{{"id", entry.id},
                                       {"at", entry.at},
                                       {"actor", entry.actor},
                                       {"actor_name", text_or_null(entry.actor_name)},
                                       {"actor_ip", text_or_null(entry.actor_ip)},
                                       {"database_user", entry.database_user},
                                       {"action", entry.action},
                                       {"target", text_or_null(entry.target)},
                                       {"detail", embedded(entry.detail)},
                                       {"reason", text_or_null(entry.reason)},
                                       {"request_id", text_or_null(entry.request_id)}});
    }
    const json::object out{{"entries", std::move(list)},
                           {"next", page.next ? json::value(*page.next) : nullptr}};
    return json::serialize(out) + "\n";
}

}  // namespace rollcall::admin
