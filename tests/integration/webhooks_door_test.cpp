#include "webhooks_fixture.hpp"

#include "crypto/trace_of.hpp"

#include <set>

namespace rollcall::webhooks {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

const std::filesystem::path own_events =
    std::filesystem::path(ROLLCALL_SOURCE_DIR) / "tests/data/events";
const std::filesystem::path samples = std::filesystem::path(ROLLCALL_SOURCE_DIR).parent_path() /
                                      "shared/reference/clerk/webhook-samples";

const std::string unhandled = R"(200 {"success":true,"message":"Event type not handled"})";
const std::string not_accepted = R"(401 {"error":"Invalid signature"})";

std::string queued(std::string_view what, const std::string& job_id) {
    return fmt::format(R"(202 {{"success":true,"message":"User {} job queued","jobId":"{}"}})",
                       what, job_id);
}

class WebhookDoor : public WebhooksTest {
protected:
    Door door{io, db.config()};
};

TEST_F(WebhookDoor, AnswersWithTheJobThatItStored) {
    for (const auto& [type, word, kind, priority] :
         {std::tuple("user.created", "creation", "USER_CREATED", "2"),
          std::tuple("user.updated", "update", "USER_UPDATED", "1"),
          std::tuple("user.deleted", "deletion", "USER_DELETED", "1")}) {
        const std::string id = std::string("msg_") + word;
        const auto response = door.post({.id = id, .body = user(type, "user_a")});
        EXPECT_EQ(shown(response), queued(word, column(id, "id")));
        EXPECT_EQ(response.headers.get("Content-Type"), "application/json");
        EXPECT_EQ(column(id, "job_type"), kind);
        EXPECT_EQ(column(id, "status"), "PENDING");
        EXPECT_EQ(column(id, "priority"), priority);
        EXPECT_EQ(column(id, "subject"), "user_a");
        EXPECT_EQ(column(id, "version"), "1762340400417");
        EXPECT_EQ(column(id, "original_event"), user(type, "user_a"));
    }
    EXPECT_EQ(
        sql("SELECT string_agg(k, ' ' ORDER BY k) FROM job_queue, jsonb_object_keys(payload) k"
            " WHERE event_id = 'msg_creation'"),
        "clerk_id created_at email name retry_count user_role");
    EXPECT_EQ(
        sql("SELECT string_agg(k, ' ' ORDER BY k) FROM job_queue, jsonb_object_keys(payload) k"
            " WHERE event_id = 'msg_deletion'"),
        "clerk_id created_at retry_count");
}

TEST_F(WebhookDoor, ServesBothPathsAndOnlyPost) {
    EXPECT_EQ(
        door.post({.id = "msg_1", .body = user("user.created", "user_a")}, "/api/webhooks/clerk")
            .status,
        202U);
    EXPECT_EQ(door.post({.id = "msg_1", .body = "{}"}, "/api/webhooks").status, 404U);
}

TEST_F(WebhookDoor, EveryKeptEventEndsInTheRightJob) {
    const json::value expected = json::parse(text_of(own_events / "expected.json"));
    for (const auto& [key, want] : expected.as_object()) {
        const std::string name(key);
        const std::string body = text_of(own_events / (name + ".json"));
        const auto response = door.post({.id = "msg_" + name, .body = body});
        const std::string kind(want.at("kind").as_string());
        if (kind == "unhandled") {
            EXPECT_EQ(shown(response), unhandled) << name;
            EXPECT_EQ(column("msg_" + name, "1"), "") << name;
            continue;
        }
        const bool session = kind == "session_ended";
        const bool usable = session || kind == "created" || kind == "updated" || kind == "deleted";
        EXPECT_EQ(response.status, 202U) << name;
        EXPECT_THAT(response.body, usable ? HasSubstr("job queued") : HasSubstr("kept for review"));
        EXPECT_EQ(job_id(response), column("msg_" + name, "id")) << name;
        EXPECT_EQ(column("msg_" + name, "status"), usable ? "PENDING" : "FAILED") << name;
        EXPECT_EQ(column("msg_" + name, "original_event"), body) << name;
        if (session) {
            const json::value payload = json::parse(column("msg_" + name, "payload"));
            EXPECT_THAT(response.body, HasSubstr("Session revocation job queued")) << name;
            EXPECT_EQ(column("msg_" + name, "job_type"), "REVOKE_SESSION") << name;
            EXPECT_EQ(payload.at("session_id"), want.at("ended").at("id")) << name;
            EXPECT_EQ(column("msg_" + name, "subject"), want.at("ended").at("user_id").as_string());
        }
        if (!usable || session || kind == "deleted") continue;
        const json::value& row = want.at("user");
        const json::value payload = json::parse(column("msg_" + name, "payload"));
        EXPECT_EQ(payload.at("clerk_id"), row.at("id")) << name;
        EXPECT_EQ(payload.at("email"), row.at("email")) << name;
        EXPECT_EQ(payload.at("name"), row.at("name")) << name;
        EXPECT_EQ(payload.at("user_role").as_string(),
                  row.at("role") == "admin" ? "admin" : "user");
        EXPECT_EQ(column("msg_" + name, "banned"), row.at("banned").as_bool() ? "true" : "false");
        EXPECT_EQ(column("msg_" + name, "locked"), row.at("locked").as_bool() ? "true" : "false");
    }
}

TEST_F(WebhookDoor, EveryOfficialSampleIsAccepted) {
    if (!std::filesystem::exists(samples)) return;  // only the project's own are there
    for (const auto& entry : std::filesystem::recursive_directory_iterator(samples)) {
        if (entry.path().extension() != ".json") continue;
        const std::string body = text_of(entry.path());
        const std::string id = entry.path().stem().string();
        const auto response = door.post({.id = id, .body = body});
        const json::value event = json::parse(body);
        const std::string type(event.at("type").as_string());
        const bool ends_a_session =
            type == "session.ended" || type == "session.removed" || type == "session.revoked";
        if (!type.starts_with("user.") && !ends_a_session) {
            EXPECT_EQ(shown(response), unhandled) << id;
            continue;
        }
        EXPECT_EQ(response.status, 202U) << id;
        EXPECT_EQ(column(id, "original_event"), body) << id;
        EXPECT_EQ(column(id, "status"),
                  event.at("data").as_object().contains("id") ? "PENDING" : "FAILED")
            << id;
    }
}

TEST_F(WebhookDoor, FiftyCopiesAtOnceAreOneJob) {
    const std::vector<Sent> copies(50, {.id = "msg_same", .body = user("user.created", "user_a")});
    const auto responses = door.hand_all(copies);
    std::set<std::string> ids;
    int first = 0;
    for (const auto& response : responses) {
        EXPECT_EQ(response.status, 202U);
        ids.insert(job_id(response));
        first += response.body.find("\"duplicate\":true") == std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(ids.size(), 1U);
    EXPECT_EQ(first, 1);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "1");
    EXPECT_EQ(door.metric("rollcall_webhook_received_total{event_type=\"user.created\","
                          "result=\"duplicate\"}"),
              49);
}

TEST_F(WebhookDoor, ConcurrentEventsShareCommits) {
    std::vector<Sent> all;
    all.reserve(200);
    for (int i = 0; i < 200; ++i) {
        all.push_back({.id = fmt::format("msg_{}", i),
                       .body = user("user.updated", fmt::format("user_{}", i))});
    }
    for (const auto& response : door.hand_all(all)) EXPECT_EQ(response.status, 202U);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "200");
    EXPECT_LE(door.metric("rollcall_webhook_batch_events_count"), 10);
}

TEST_F(WebhookDoor, ADuplicateSaysSo) {
    const Sent sent{.id = "msg_1", .body = user("user.updated", "user_a")};
    const std::string id = job_id(door.post(sent));
    EXPECT_EQ(shown(door.post(sent)),
              fmt::format(R"(202 {{"success":true,"message":"User update job queued","jobId":"{}",)"
                          R"("duplicate":true}})",
                          id));
}

TEST_F(WebhookDoor, AResendSetsAFailedJobGoingAgain) {
    const Sent sent{.id = "msg_1", .body = user("user.created", "user_a")};
    const std::string id = job_id(door.post(sent));
    sql("UPDATE job_queue SET status = 'FAILED', error = 'gave up', attempts = 10");
    const auto again = door.post(sent);
    EXPECT_EQ(job_id(again), id);
    EXPECT_THAT(again.body, HasSubstr("\"duplicate\":true"));
    EXPECT_EQ(column("msg_1", "status"), "PENDING");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "1");
}

TEST_F(WebhookDoor, UnusableEventsAreKeptWithTheirBytes) {
    const std::string bytes("\xff\x00not json", 10);
    const auto response = door.post({.id = "msg_1", .body = bytes});
    EXPECT_EQ(
        shown(response),
        fmt::format(R"(202 {{"success":true,"message":"Event kept for review","jobId":"{}"}})",
                    column("msg_1", "id")));
    EXPECT_EQ(column("msg_1", "job_type"), "UNKNOWN_EVENT");
    EXPECT_EQ(column("msg_1", "status"), "FAILED");
    EXPECT_EQ(column("msg_1", "error"), "Unusable event: the body is not JSON");
    EXPECT_EQ(column("msg_1", "original_event"), "base64:/wBub3QganNvbg==");
    // Coming again does not make it usable.
    EXPECT_THAT(door.post({.id = "msg_1", .body = bytes}).body, HasSubstr("\"duplicate\":true"));
    EXPECT_EQ(column("msg_1", "status"), "FAILED");
    door.post({.id = "msg_2", .body = R"({"type":"user.deleted","data":{"deleted":true}})"});
    EXPECT_EQ(column("msg_2", "job_type"), "USER_DELETED");
    EXPECT_EQ(column("msg_2", "status"), "FAILED");
}

TEST_F(WebhookDoor, NothingThatAUserWritesKeepsAnEventFromItsJob) {
    const std::string deep =
        R"(,"unsafe_metadata":)" + std::string(1200, '[') + std::string(1200, ']');
    const std::string name = ",\"first_name\":\"In\xffs \\u0000\\ud800\"";
    const std::string body = user("user.updated", "user_a", deep + name + R"(,"banned":true)");
    EXPECT_EQ(door.post({.id = "msg_1", .body = body}).status, 202U);
    EXPECT_EQ(column("msg_1", "status"), "PENDING");
    EXPECT_EQ(column("msg_1", "subject"), "user_a");
    EXPECT_EQ(column("msg_1", "banned"), "true");
    EXPECT_EQ(column("msg_1", "payload->>'name'"), "In?s \xef\xbf\xbd");
    EXPECT_EQ(column("msg_1", "original_event LIKE 'base64:%'"), "true");
}

TEST_F(WebhookDoor, AnEventThatTheDatabaseRefusesDoesNotHurtItsNeighbours) {
    sql("ALTER TABLE job_queue ADD CHECK (payload->>'name' IS DISTINCT FROM 'Bad')");
    std::vector<Sent> all;
    all.reserve(40);
    for (int i = 0; i < 40; ++i) {
        all.push_back({.id = fmt::format("msg_{}", i),
                       .body = user("user.created", fmt::format("user_{}", i),
                                    i % 13 == 5 ? R"(,"first_name":"Bad")" : "")});
    }
    const auto responses = door.hand_all(all);
    for (int i = 0; i < 40; ++i) {
        const auto& response = responses[static_cast<std::size_t>(i)];
        const std::string id = fmt::format("msg_{}", i);
        EXPECT_EQ(response.status, 202U);
        EXPECT_EQ(job_id(response), column(id, "id"));
        EXPECT_EQ(column(id, "status"), i % 13 == 5 ? "FAILED" : "PENDING");
        EXPECT_THAT(response.body,
                    i % 13 == 5 ? HasSubstr("kept for review") : HasSubstr("creation job queued"));
    }
    EXPECT_THAT(column("msg_5", "original_event"), testing::StartsWith("base64:"));
}

TEST_F(WebhookDoor, TheUserOfAnEventKeptForReviewIsReadAgainWhereClerkCanBeAsked) {
    sql("ALTER TABLE job_queue ADD CHECK (payload->>'name' IS DISTINCT FROM 'Bad')");
    const auto refreshes = [&] {
        return sql(
            "SELECT string_agg(subject || ' ' || status, ', ' ORDER BY subject) "
            "FROM job_queue WHERE job_type = 'REFRESH_USER'");
    };
    const auto refused = [&](const std::string& id) {
        return user("user.updated", id, R"(,"first_name":"Bad")");
    };
    door.post({.id = "msg_1", .body = refused("user_a")});
    EXPECT_EQ(refreshes(), "");

    Door asking{io, db.config(), {.refresh_users = true}};
    for (const auto& [id, body] :
         {std::pair("msg_2", refused("user_a")), std::pair("msg_3", refused("user_a")),
          std::pair("msg_4", user("", "user_b")), std::pair("msg_5", user("", "org_c")),
          std::pair("msg_6", user("user.updated", "user_d"))}) {
        EXPECT_EQ(asking.post({.id = id, .body = body}).status, 202U);
    }
    EXPECT_EQ(refreshes(), "user_a PENDING, user_b PENDING");
}

TEST_F(WebhookDoor, ForgedDeliveriesAllGetTheSameAnswerAndLeaveNoJob) {
    const std::string body = user("user.created", "user_a");
    for (const Sent& forged :
         {Sent{.id = "msg_1", .body = body, .signature = "v1,AAAA"},
          Sent{.id = "msg_1", .body = body, .timestamp = "1500000000"},
          Sent{.id = "msg_1", .body = body, .timestamp = "99999999999"},
          Sent{.id = "msg_1", .body = body, .timestamp = "0x1", .signature = "v1,AAAA"},
          Sent{.id = "msg_1",
               .body = body,
               .signature = Door::secrets().sign(0, "msg_2", "1500000000", body)}}) {
        const auto response = door.post(forged);
        EXPECT_EQ(shown(response), not_accepted);
    }
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "0");
    EXPECT_EQ(door.metric("rollcall_webhook_refused_total{reason=\"stale_timestamp\"}"), 1);
    EXPECT_EQ(door.metric("rollcall_webhook_refused_total{reason=\"future_timestamp\"}"), 1);
    EXPECT_EQ(door.metric("rollcall_webhook_refused_total{reason=\"bad_timestamp\"}"), 1);
    EXPECT_EQ(door.metric("rollcall_webhook_refused_total{reason=\"no_matching_signature\"}"), 2);
}

TEST_F(WebhookDoor, TakesBothSecretsOfARotation) {
    Sent sent{.id = "msg_1", .body = user("user.created", "user_a")};
    sent.timestamp = std::to_string(real_clock().now().time_since_epoch().count() / 1000);
    sent.signature = Door::secrets().sign(1, sent.id, sent.timestamp, sent.body);
    EXPECT_EQ(door.post(sent).status, 202U);
    EXPECT_EQ(door.metric("rollcall_webhook_secret_used_total{slot=\"previous\"}"), 1);
    EXPECT_EQ(door.metric("rollcall_webhook_secret_used_total{slot=\"current\"}"), 0);
    auto newer = SigningSecrets::parse(secret);
    door.endpoint.use(*std::move(newer), {});
    EXPECT_EQ(door.post(sent).status, 401U);
}

TEST_F(WebhookDoor, ContentTypeAndSize) {
    const std::string body = user("user.created", "user_a");
    for (const char* type : {"", "application/json", "Application/JSON ; charset=utf-8"}) {
        EXPECT_EQ(door.post({.id = "msg_1", .body = body, .content_type = type}).status, 202U)
            << type;
    }
    for (const char* type :
         {"text/plain", "application/jsonp", "application/x-www-form-urlencoded"}) {
        EXPECT_EQ(door.post({.id = "msg_1", .body = body, .content_type = type}).status, 415U)
            << type;
    }
    const std::string padding(1024UL * 1024 - body.size(), ' ');
    EXPECT_EQ(door.post({.id = "msg_2", .body = body + padding}).status, 202U);
    const auto large = door.post({.id = "msg_3", .body = body + padding + " "});
    EXPECT_EQ(shown(large), R"(413 {"error":"Content Too Large"})");
}

TEST_F(WebhookDoor, MetricsAreThereFromTheStart) {
    for (const char* result : {"enqueued", "duplicate", "ignored", "bad_signature",
                               "stale_timestamp", "too_large", "malformed", "unavailable"}) {
        EXPECT_EQ(door.metric(fmt::format(
                      R"(rollcall_webhook_received_total{{event_type="user.created",result="{}"}})",
                      result)),
                  0);
    }
    EXPECT_EQ(door.metric("rollcall_webhook_last_received_timestamp_seconds"), 0);
    EXPECT_EQ(door.metric("rollcall_webhook_lag_seconds_count{event_type=\"user.deleted\"}"), 0);
    EXPECT_EQ(door.metric("rollcall_webhook_secret_used_total{slot=\"current\"}"), 0);
    door.post({.id = "msg_1", .body = user("user.created", "user_a")});
    EXPECT_GT(door.metric("rollcall_webhook_last_received_timestamp_seconds"), 1.7e9);
    EXPECT_EQ(door.metric("rollcall_webhook_lag_seconds_count{event_type=\"user.created\"}"), 1);
}

TEST_F(WebhookDoor, ADeliveryBringsItsTrace) {
    const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    log::set_level(log::Level::debug);
    const log::Capture capture;
    const std::string body = user("user.created", "user_a");
    door.post({.id = "msg_1", .body = body, .traces = {trace}});
    door.post({.id = "msg_2", .body = body});
    door.post({.id = "msg_3", .body = body, .traces = {"00-malformed"}});
    door.post({.id = "msg_4", .body = body, .traces = {trace, trace}});
    door.post({.id = "msg_5", .body = body, .signature = "v1,x", .traces = {trace}});
    log::set_level(log::Level::info);
    EXPECT_EQ(column("msg_1", "trace"), trace);
    for (const char* without : {"msg_2", "msg_3", "msg_4"}) {
        EXPECT_EQ(column(without, "trace IS NULL"), "true") << without;
        EXPECT_THAT(capture.text(), HasSubstr(crypto::trace_of(without).trace_id()));
        EXPECT_EQ(sql(fmt::format("SELECT rollcall.trace_of('{}')", without)),
                  crypto::trace_of(without).to_header());
    }
    EXPECT_THAT(capture.text(),
                ContainsRegex("webhook_accepted[^\n]*0af7651916cd43dd8448eb211c80319c"));
    EXPECT_THAT(capture.text(),
                ContainsRegex("webhook_refused[^\n]*0af7651916cd43dd8448eb211c80319c"));
    EXPECT_THAT(capture.text(), Not(HasSubstr("malformed")));
}

TEST_F(WebhookDoor, LogsNameNobody) {
    log::set_level(log::Level::debug);
    const log::Capture capture;
    const std::string canary =
        R"(,"first_name":"Canaryfirst","last_name":"Canarylast","primary_email_address_id":"e",)"
        R"("email_addresses":[{"id":"e","email_address":"canary@mail.example"}],)"
        R"("phone_numbers":[{"phone_number":"+15550199"}])";
    for (const char* type : {"user.created", "user.updated", "user.deleted", "session.created"}) {
        door.post({.id = std::string("msg_") + type, .body = user(type, "user_a", canary)});
        door.post({.id = "msg_forged", .body = user(type, "user_a", canary), .signature = "v1,x"});
    }
    log::set_level(log::Level::info);
    EXPECT_THAT(capture.text(), HasSubstr("webhook_accepted"));
    EXPECT_THAT(capture.text(), HasSubstr("webhook_refused"));
    EXPECT_THAT(capture.text(), HasSubstr("127.0.0.0/24"));
    for (const char* personal :
         {"anaryfirst", "anarylast", "canary@", "15550199", "whsec_", "v1,"}) {
        EXPECT_THAT(capture.text(), Not(HasSubstr(personal)));
    }
}

TEST_F(WebhooksTest, AFloodOfForgeriesIsSlowedAndSignedOnesPass) {
    Door door(io, db.config(), {}, {.failures_per_minute = 1, .failures_burst = 3});
    const std::string body = user("user.created", "user_a");
    std::string statuses;
    for (int i = 0; i < 5; ++i) {
        const auto response = door.post({.id = "msg_f", .body = body, .signature = "v1,AAAA"});
        statuses += std::to_string(response.status) + " ";
        if (response.status != 429) continue;
        const auto wait = std::stoi(std::string(response.headers.get("Retry-After").value_or("0")));
        EXPECT_GT(wait, 0);
        EXPECT_LE(wait, 60);
        EXPECT_EQ(door.post({.id = fmt::format("msg_{}", i), .body = body}).status, 202U);
    }
    EXPECT_EQ(statuses, "401 401 401 429 429 ");
    EXPECT_EQ(door.metric("rollcall_webhook_refused_total{reason=\"rate_limited\"}"), 2);
}

TEST_F(WebhooksTest, WhatShowsNothingMeetsALimitOfItsOwnAndSignedOnesPass) {
    Door door(io, db.config(), {}, {.requests_per_second = 0.001, .requests_burst = 2});
    const std::string body = user("user.created", "user_a");
    const Sent text{.id = "msg_t", .body = body, .content_type = "text/plain"};
    EXPECT_EQ(door.post(text).status, 415U);
    EXPECT_EQ(door.post({.id = "msg_f", .body = body, .signature = "v1,AAAA"}).status, 401U);
    EXPECT_EQ(door.post({.id = "msg_f", .body = body, .signature = "v1,AAAA"}).status, 429U);
    EXPECT_EQ(door.post(text).status, 429U);
    EXPECT_EQ(door.post({.id = "msg_1", .body = body}).status, 202U);
    EXPECT_EQ(door.metric("rollcall_webhook_refused_total{reason=\"rate_limited\"}"), 2);
}

TEST_F(WebhooksTest, AnOverallLimitHoldsForSignedOnesToo) {
    Door door(io, db.config(), {.deliveries_per_second = 0.01, .deliveries_burst = 2});
    const std::string body = user("user.created", "user_a");
    EXPECT_EQ(door.post({.id = "msg_1", .body = body}).status, 202U);
    EXPECT_EQ(door.post({.id = "msg_2", .body = body}).status, 202U);
    const auto response = door.post({.id = "msg_3", .body = body});
    EXPECT_EQ(response.status, 429U);
    EXPECT_TRUE(response.headers.get("Retry-After"));
}

}  // namespace
}  // namespace rollcall::webhooks
