// The reader of events and users: whatever bytes come, what it takes from them can be stored, and
// reading them twice gives the same.
#include "base/json.hpp"
#include "base/json_document.hpp"
#include "base/result.hpp"
#include "clerk/answers.hpp"
#include "clerk/event.hpp"
#include "webhooks/event_job.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <string_view>

namespace {

using namespace rollcall;

constexpr std::int64_t latest_ms = 253'402'300'799'999;

void check_text(const std::optional<std::string>& text) {
    if (!text) return;
    ensure(!text->empty() && text->find('\0') == std::string::npos, "text that a column takes");
    ensure(is_utf8(*text), "text that is UTF-8");
}

void check_user(const clerk::User& user) {
    ensure(!user.id.empty() && user.id.size() <= 255, "an id of sane length");
    for (const auto& text :
         {std::optional(user.id), user.email, user.name, user.role, user.external_id}) {
        check_text(text);
    }
    ensure(user.email || !user.email_verified, "only an address can be verified");
    for (const std::int64_t time : {user.created_at_ms, user.updated_at_ms}) {
        ensure(time >= 0 && time <= latest_ms, "a time that a column takes");
    }
}

void check_job(const webhooks::EventJob& job, std::string_view body) {
    boost::json::error_code error;
    const auto payload = boost::json::parse(job.payload, error);
    ensure(!error && payload.is_object(), "the payload is a JSON object");
    for (const auto& member : payload.as_object()) {
        const auto* text = member.value().if_string();
        ensure(text == nullptr || text->find('\0') == std::string_view::npos, "one for jsonb");
    }
    ensure(job.payload.find("\"retry_count\":0}") != std::string::npos, "the payload is whole");
    ensure(job.error.empty() || !job.version, "what is kept for review changes nothing");
    const std::string stored = webhooks::storable(std::string(body));
    ensure(is_utf8(stored) && stored.find('\0') == std::string::npos, "the bytes can be stored");
    ensure(!job.error.empty() || !is_utf8(body) || stored == body,
           "a usable event is stored as it is");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static clerk::EventParser parser;
    static const webhooks::RoleRules roles;
    const std::string_view body(reinterpret_cast<const char*>(data), size);

    const clerk::Event event = parser.parse(body);
    ensure(event.timestamp_ms >= 0, "a time that was");
    if (const auto* user = std::get_if<clerk::User>(&event.data)) check_user(*user);
    if (const auto* gone = std::get_if<clerk::UserDeleted>(&event.data)) check_text(gone->id);
    const auto* unusable = std::get_if<clerk::Unusable>(&event.data);
    if (unusable != nullptr && !unusable->user_id.empty()) check_text(unusable->user_id);
    const auto job = webhooks::job_of(event, SystemTime{}, roles);
    if (job) check_job(*job, body);
    const clerk::Event again = parser.parse(body);
    ensure(again.type == event.type && again.data.index() == event.data.index(),
           "once is as twice");

    if (const auto user = clerk::parse_user(body)) check_user(*user);
    JsonDocument document;
    for (const unsigned status : {200U, 401U, 404U, 429U}) {
        const auto said = clerk::success_of(http::Response::json(status, std::string(body)));
        const auto page = clerk::read_page_answer(said, document, true);
        if (page) std::ranges::for_each(*page, check_user);
        (void)clerk::read_count_answer(said);
        (void)clerk::read_instance_answer(said);
        const auto answer = clerk::read_user_answer(said, "user_a");
        ensure(answer || answer.error().message.size() < 400, "messages are short");
        if (!answer) check_text(answer.error().message);
    }
    return 0;
}
