#include "webhooks/event_job.hpp"

#include "crypto/encoding.hpp"
#include "jobs/job.hpp"

#include <gtest/gtest.h>
#include <boost/json.hpp>

namespace rollcall::webhooks {
namespace {

namespace json = boost::json;

const SystemTime sent_at{std::chrono::seconds(1'762'340'500)};
const RoleRules roles{.roles = {"user", "admin", "editor"}, .default_role = "user"};

std::optional<EventJob> job_from(const std::string& body) {
    clerk::EventParser parser;
    return job_of(parser.parse(body), sent_at, roles);
}

EventJob made_of(const std::string& body) {
    auto job = job_from(body);
    EXPECT_TRUE(job) << body;
    return job ? *std::move(job) : EventJob{};
}

const std::string user_data =
    R"({"id":"user_a","first_name":"Ada","last_name":"Lovelace","primary_email_address_id":"e",)"
    R"("email_addresses":[{"id":"e","email_address":"Ada@X.example"}],)"
    R"("public_metadata":{"role":"admin"},"banned":true,"locked":false,)"
    R"("created_at":1762340000000,"updated_at":1762340399123})";

TEST(JobOf, ASelfTestIsAJobThatTouchesNobody) {
    const EventJob job =
        made_of(R"({"type":"rollcall.self_test","timestamp":1762340400,"data":{"id":"user_a"}})");
    EXPECT_EQ(job.kind, jobs::self_test);
    EXPECT_EQ(job.subject, "");
    EXPECT_EQ(job.error, "");
    EXPECT_EQ(json::parse(job.payload).at("clerk_id"), nullptr);
    EXPECT_FALSE(job_from(R"({"type":"rollcall.self_tests","data":{}})"));
}

TEST(JobOf, ASessionThatEndedByAnyWord) {
    for (const std::string type : {"session.ended", "session.removed", "session.revoked"}) {
        const EventJob job =
            made_of(R"({"type":")" + type +
                    R"(","timestamp":1762340400417,"data":{"id":"sess_1","user_id":"user_a"}})");
        EXPECT_EQ(job.kind, jobs::revoke_session);
        EXPECT_EQ(job.subject, "user_a");
        EXPECT_EQ(job.version, 1'762'340'400'417);
        EXPECT_EQ(job.error, "");
        EXPECT_EQ(job.payload, R"({"clerk_id":"user_a","session_id":"sess_1",)"
                               R"("created_at":"2025-11-05T11:00:00.417Z","retry_count":0})");
    }
    EXPECT_FALSE(job_from(R"({"type":"session.created","data":{"id":"sess_1"}})"));
    EXPECT_FALSE(job_from(R"({"type":"session.pending","data":{"id":"sess_1"}})"));
}

TEST(JobOf, ASessionThatIsNotNamedIsKeptForReview) {
    const EventJob job =
        made_of(R"({"type":"session.revoked","timestamp":1,"data":{"user_id":"user_a"}})");
    EXPECT_EQ(job.kind, jobs::revoke_session);
    EXPECT_EQ(job.error, "Unusable event: it has no usable data.id");
    EXPECT_EQ(job.refresh, "");
}

TEST(JobOf, AUserCreated) {
    const EventJob job =
        made_of(R"({"type":"user.created","timestamp":1762340400,"data":)" + user_data + "}");
    EXPECT_EQ(job.kind, jobs::user_created);
    EXPECT_EQ(job.priority, 2);
    EXPECT_EQ(job.payload,
              R"({"clerk_id":"user_a","email":"Ada@X.example","name":"Ada Lovelace",)"
              R"("user_role":"admin","created_at":"2025-11-05T11:00:00.000Z","retry_count":0})");
    EXPECT_EQ(job.subject, "user_a");
    EXPECT_EQ(job.version, 1'762'340'399'123);
    EXPECT_EQ(job.banned, true);
    EXPECT_EQ(job.locked, false);
    EXPECT_EQ(job.clerk_created_at, SystemTime(std::chrono::seconds(1'762'340'000)));
    EXPECT_EQ(job.error, "");
}

TEST(JobOf, AUserUpdatedWithHardlyAnything) {
    const EventJob job =
        made_of(R"({"type":"user.updated","timestamp":1762340400417,"data":{"id":"user_a"}})");
    EXPECT_EQ(job.kind, jobs::user_updated);
    EXPECT_EQ(job.priority, 1);
    EXPECT_EQ(job.payload, R"({"clerk_id":"user_a","email":null,"name":null,"user_role":"user",)"
                           R"("created_at":"2025-11-05T11:00:00.417Z","retry_count":0})");
    EXPECT_EQ(job.version, 1'762'340'400'417);  // the envelope stands in for updated_at
    EXPECT_FALSE(job.clerk_created_at);
}

TEST(JobOf, AUserDeleted) {
    const EventJob job =
        made_of(R"({"type":"user.deleted","timestamp":1762340400417,"data":{"id":"user_a"}})");
    EXPECT_EQ(job.kind, jobs::user_deleted);
    EXPECT_EQ(job.priority, 1);
    EXPECT_EQ(job.payload,
              R"({"clerk_id":"user_a","created_at":"2025-11-05T11:00:00.417Z","retry_count":0})");
    EXPECT_EQ(job.version, 1'762'340'400'417);
}

TEST(JobOf, WithoutAnyTimeTheDeliverysStandsIn) {
    const EventJob updated = made_of(R"({"type":"user.updated","data":{"id":"user_a"}})");
    EXPECT_EQ(updated.version, sent_at.time_since_epoch().count());
    EXPECT_NE(updated.payload.find("2025-11-05T11:01:40.000Z"), std::string::npos);
    const EventJob deleted = made_of(R"({"type":"user.deleted","data":{"id":"user_a"}})");
    EXPECT_EQ(deleted.version, sent_at.time_since_epoch().count());
}

TEST(JobOf, OtherTypesAreNoJob) {
    EXPECT_FALSE(job_from(R"({"type":"organization.created","data":{"id":"org_a"}})"));
    EXPECT_FALSE(job_from(R"({"type":"user.frobnicated"})"));
}

TEST(JobOf, WhatCannotBeUsedIsKeptForReview) {
    const auto check = [](const std::string& body, std::string_view kind, std::string_view error) {
        const EventJob job = made_of(body);
        EXPECT_EQ(job.kind, kind) << body;
        EXPECT_EQ(job.error, error) << body;
        EXPECT_TRUE(job.view().failed);
        EXPECT_FALSE(job.view().subject);
        EXPECT_FALSE(job.version);
        EXPECT_TRUE(json::parse(job.payload).is_object());
    };
    check("not json", jobs::unknown_event, "Unusable event: the body is not JSON");
    check("[1]", jobs::unknown_event, "Unusable event: the body is not a JSON object");
    check("{}", jobs::unknown_event, "Unusable event: it has no type");
    for (const auto& [type, kind] : {std::pair("user.created", jobs::user_created),
                                     std::pair("user.updated", jobs::user_updated),
                                     std::pair("user.deleted", jobs::user_deleted)}) {
        check(std::string(R"({"type":")") + type + R"(","data":{"deleted":true}})", kind,
              "Unusable event: it has no usable data.id");
    }
}

TEST(JobOf, WhatIsKeptForReviewSaysWhomToReadAgain) {
    const EventJob job = made_of(R"({"data":{"id":"user_a"}})");
    EXPECT_EQ(job.view().refresh, "user_a");
    EXPECT_FALSE(job.view().subject);
    EXPECT_FALSE(made_of("{}").view().refresh);
    EXPECT_FALSE(made_of(R"({"type":"user.updated","data":{"id":"user_a"}})").view().refresh);
}

TEST(JobOf, PayloadsAreJsonWhateverTheNames) {
    const EventJob job = made_of(
        R"({"type":"user.created","data":{"id":"user_\"a","first_name":"\"\\\u0001\n\u0000x",)"
        R"("last_name":"\ud83d\ude80"}})");
    const json::value payload = json::parse(job.payload);
    EXPECT_EQ(payload.at("clerk_id").as_string(), "user_\"a");
    EXPECT_EQ(payload.at("name").as_string(), "\"\\\x01\nx \U0001F680");
    EXPECT_EQ(job.payload.find("\\u0000"), std::string::npos);
}

TEST(RoleOf, TakesConfiguredRolesOnly) {
    EXPECT_EQ(role_of("admin", roles), "admin");
    EXPECT_EQ(role_of("editor", roles), "editor");
    EXPECT_EQ(role_of("Admin", roles), "user");
    EXPECT_EQ(role_of("emperor", roles), "user");
    EXPECT_EQ(role_of("", roles), "user");
    EXPECT_EQ(role_of(std::nullopt, roles), "user");
}

TEST(Storable, KeepsTextAndEncodesTheRest) {
    EXPECT_EQ(storable("{\"a\":\"ż\"}"), "{\"a\":\"ż\"}");
    EXPECT_EQ(storable(""), "");
    for (const std::string& odd : {std::string("a\0b", 3), std::string("\xff"), std::string("\xc3"),
                                   std::string("\xed\xa0\x80"), std::string("base64:AAAA")}) {
        const std::string stored = storable(odd);
        ASSERT_TRUE(stored.starts_with("base64:"));
        EXPECT_EQ(crypto::base64_decode(stored.substr(7)), odd);
    }
}

TEST(MakeReviewable, KeepsNothingOfTheEventButItsBytesAndWhomItNames) {
    EventJob job =
        made_of(R"({"type":"user.created","timestamp":1762340400,"data":)" + user_data + "}");
    job.event_id = "msg_1";
    job.original_event = "{}";
    make_reviewable(job);
    EXPECT_EQ(job.kind, jobs::user_created);
    EXPECT_EQ(job.error, "Unusable event: the database refuses its values");
    EXPECT_EQ(job.original_event, "base64:e30=");
    EXPECT_EQ(job.event_id, "msg_1");
    EXPECT_EQ(job.payload,
              R"({"clerk_id":null,"created_at":"2025-11-05T11:00:00.000Z","retry_count":0})");
    EXPECT_FALSE(job.view().subject);
    EXPECT_EQ(job.view().refresh, "user_a");
    EXPECT_FALSE(job.version || job.banned || job.locked || job.clerk_created_at);
}

}  // namespace
}  // namespace rollcall::webhooks
