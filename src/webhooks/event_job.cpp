#include "webhooks/event_job.hpp"

#include "base/json.hpp"
#include "crypto/encoding.hpp"
#include "jobs/job.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::webhooks {
namespace {

constexpr int creation_priority = 2;
// What `rollcall doctor --self-test` sends; no type of Clerk's begins so.
constexpr std::string_view self_test_type = "rollcall.self_test";
constexpr std::string_view base64_mark = "base64:";

// Beside the parser's reasons.
constexpr std::string_view unhandled = "unhandled";

// What the column `error` says, so that failures of one cause group together.
std::string_view error_text(std::string_view reason) {
    if (reason == "not_json") return "Unusable event: the body is not JSON";
    if (reason == "not_an_object") return "Unusable event: the body is not a JSON object";
    if (reason == "no_type") return "Unusable event: it has no type";
    if (reason == unhandled) return "Unusable event: this build does not handle its type";
    return "Unusable event: it has no usable data.id";
}

void append_member(std::string& json, std::string_view key, std::optional<std::string_view> value) {
    json += json.empty() ? '{' : ',';
    append_json_string(json, key);
    json += ':';
    if (value) {
        append_json_string(json, *value);
    } else {
        json += "null";
    }
}

void end_payload(std::string& json, SystemTime created_at) {
    append_member(json, "created_at", to_rfc3339(created_at));
    json += R"(,"retry_count":0})";
}

SystemTime from_ms(std::int64_t ms) {
    return SystemTime(std::chrono::milliseconds(ms));
}

SystemTime time_of(const clerk::Event& event, SystemTime sent_at) {
    return event.timestamp_ms > 0 ? from_ms(event.timestamp_ms) : sent_at;
}

EventJob job_of_user(const clerk::User& user, bool created, SystemTime at, const RoleRules& roles) {
    EventJob job;
    job.kind = created ? jobs::user_created : jobs::user_updated;
    job.priority = created ? creation_priority : 1;
    job.subject = user.id;
    job.version = user.updated_at_ms > 0 ? user.updated_at_ms : at.time_since_epoch().count();
    job.banned = user.banned;
    job.locked = user.locked;
    if (user.created_at_ms > 0) job.clerk_created_at = from_ms(user.created_at_ms);
    job.payload.reserve(256);
    append_member(job.payload, "clerk_id", user.id);
    append_member(job.payload, "email", user.email);
    append_member(job.payload, "name", user.name);
    append_member(job.payload, "user_role", role_of(user.role, roles));
    end_payload(job.payload, at);
    return job;
}

EventJob job_of_deletion(const clerk::UserDeleted& gone, SystemTime at) {
    EventJob job;
    job.kind = jobs::user_deleted;
    job.subject = gone.id;
    job.version = at.time_since_epoch().count();
    append_member(job.payload, "clerk_id", gone.id);
    end_payload(job.payload, at);
    return job;
}

EventJob job_of_session_end(const clerk::SessionEnded& session, SystemTime at) {
    EventJob job;
    job.kind = jobs::revoke_session;
    job.subject = session.user_id;
    job.version = at.time_since_epoch().count();
    append_member(job.payload, "clerk_id",
                  session.user_id.empty() ? std::nullopt : std::optional(session.user_id));
    append_member(job.payload, "session_id", session.id);
    end_payload(job.payload, at);
    return job;
}

std::string_view kind_of(std::string_view type) {
    if (type == "user.created") return jobs::user_created;
    if (type == "user.updated") return jobs::user_updated;
    if (type == "user.deleted") return jobs::user_deleted;
    if (type == "session.ended" || type == "session.removed" || type == "session.revoked") {
        return jobs::revoke_session;
    }
    return jobs::unknown_event;
}

EventJob job_of_self_test(SystemTime at) {
    EventJob job;
    job.kind = jobs::self_test;
    append_member(job.payload, "clerk_id", std::nullopt);
    end_payload(job.payload, at);
    return job;
}

EventJob job_for_review(std::string_view type, const clerk::Unusable& event, SystemTime at) {
    EventJob job;
    job.kind = kind_of(type);
    job.error = error_text(event.reason);
    job.refresh = event.user_id;
    append_member(job.payload, "clerk_id", std::nullopt);
    end_payload(job.payload, at);
    return job;
}

std::string in_base64(std::string_view bytes) {
    return std::string(base64_mark) + crypto::base64_encode(bytes);
}

}  // namespace

jobs::NewJob EventJob::view() const {
    jobs::NewJob job;
    job.id = id;
    job.kind = kind;
    job.payload = payload;
    job.priority = priority;
    job.failed = !error.empty();
    if (job.failed) job.error = error;
    if (!refresh.empty()) job.refresh = refresh;
    job.event_id = event_id;
    job.original_event = original_event;
    if (!subject.empty()) job.subject = subject;
    job.version = version;
    job.banned = banned;
    job.locked = locked;
    job.clerk_created_at = clerk_created_at;
    if (!trace.empty()) job.trace = trace;
    job.arrived_at = arrived_at;
    return job;
}

std::optional<EventJob> job_of(const clerk::Event& event, SystemTime sent_at,
                               const RoleRules& roles) {
    const SystemTime at = time_of(event, sent_at);
    std::optional<EventJob> job;
    if (const auto* user = std::get_if<clerk::User>(&event.data)) {
        job = job_of_user(*user, event.user_created, at, roles);
    } else if (const auto* gone = std::get_if<clerk::UserDeleted>(&event.data)) {
        job = job_of_deletion(*gone, at);
    } else if (const auto* session = std::get_if<clerk::SessionEnded>(&event.data)) {
        job = job_of_session_end(*session, at);
    } else if (const auto* unusable = std::get_if<clerk::Unusable>(&event.data)) {
        job = job_for_review(event.type, *unusable, at);
    } else if (event.type == self_test_type) {
        job = job_of_self_test(at);
    }
    if (job) job->time = at;
    return job;
}

EventJob job_of_unhandled(const clerk::Event& event, SystemTime sent_at) {
    const SystemTime at = time_of(event, sent_at);
    EventJob job = job_for_review(event.type, {.reason = unhandled}, at);
    job.time = at;
    return job;
}

std::string_view role_of(const std::optional<std::string>& claimed, const RoleRules& roles) {
    if (!claimed) return roles.default_role;
    const auto found = std::ranges::find(roles.roles, *claimed);
    return found == roles.roles.end() ? std::string_view(roles.default_role) : *found;
}

std::string storable(std::string body) {
    const bool plain =
        body.find('\0') == std::string::npos && is_utf8(body) && !body.starts_with(base64_mark);
    return plain ? std::move(body) : in_base64(body);
}

void make_reviewable(EventJob& job) {
    job.error = "Unusable event: the database refuses its values";
    job.payload.clear();
    append_member(job.payload, "clerk_id", std::nullopt);
    end_payload(job.payload, job.time);
    if (!job.original_event.starts_with(base64_mark)) {
        job.original_event = in_base64(job.original_event);
    }
    job.refresh = std::exchange(job.subject, {});
    job.priority = 1;
    job.version.reset();
    job.banned.reset();
    job.locked.reset();
    job.clerk_created_at.reset();
}

}  // namespace rollcall::webhooks
