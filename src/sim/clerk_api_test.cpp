#include "sim/clerk_api.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

namespace rollcall::sim {
namespace {

using namespace std::chrono_literals;

struct Answer {
    unsigned status = 0;
    json::value body;
    http::Fields headers;

    [[nodiscard]] std::string code() const {
        return std::string(body.at("errors").at(0).at("code").as_string());
    }
    [[nodiscard]] std::string param() const {
        return std::string(body.at("errors").at(0).at("meta").at("param_name").as_string());
    }
};

class ClerkApiTest : public testing::Test {
protected:
    ClerkApiTest() {
        clerk_.secret_key = "sk_test_unit";
        clerk_.endpoint.url = "http://127.0.0.1:1/";
    }

    static http::Request request(const std::string& method, const std::string& target,
                                 const std::string& body = "") {
        http::Request request;
        request.method = method;
        request.target = target;
        const auto mark = std::min(target.find('?'), target.size());
        request.path = target.substr(0, mark);
        if (mark < target.size()) request.query = target.substr(mark + 1);
        request.headers.set("authorization", "Bearer sk_test_unit");
        request.headers.set("user-agent", "unit test");
        request.remote_address = "127.0.0.1";
        request.body = body;
        return request;
    }

    Answer answer(const http::Request& request) {
        const auto response = api_.answer(request);
        boost::system::error_code error;
        auto body = json::parse(response.body, error);
        return {response.status, std::move(body), response.headers};
    }

    Answer call(const std::string& method, const std::string& target,
                const json::value& body = {}) {
        return answer(
            request(method, target, body.is_null() ? std::string() : json::serialize(body)));
    }

    std::string create(const json::object& body) {
        const auto answer = call("POST", "/v1/users", body);
        EXPECT_EQ(answer.status, 200U) << json::serialize(answer.body);
        return std::string(answer.body.at("id").as_string());
    }

    // Types of the events made so far, oldest first, and the data of the last.
    [[nodiscard]] std::vector<std::string> events() const {
        std::vector<std::string> types;
        for (const auto& [serial, message] : clerk_.messages.all()) types.push_back(message.type);
        return types;
    }
    [[nodiscard]] json::value last_event() const {
        return json::parse(clerk_.messages.all().rbegin()->second.body);
    }

    ManualClock clock_{SystemTime(1'700'000'000'000ms)};
    ClerkInstance clerk_{1, {}, 1000, 1, {}, clock_};
    ClerkApi api_{clerk_};
};

TEST_F(ClerkApiTest, ChecksTheKeyBeforeThePath) {
    auto asked = request("GET", "/v1/no/such/path");
    asked.headers = {};
    EXPECT_EQ(answer(asked).code(), "authorization_header_format_invalid");
    for (const auto* header : {"", "Bearer", "Bearer ", "bearer sk_test_unit", "Basic abc"}) {
        asked.headers.set("authorization", header);
        const auto refused = answer(asked);
        EXPECT_EQ(refused.status, 401U);
        EXPECT_EQ(refused.code(), "authorization_header_format_invalid") << header;
    }
    for (const auto* header :
         {"Bearer sk_test_other", "Bearer sk_live_unit", "Bearer  sk_test_unit"}) {
        asked.headers.set("authorization", header);
        EXPECT_EQ(answer(asked).code(), "clerk_key_invalid") << header;
    }
    EXPECT_EQ(call("GET", "/v1/no/such/path").code(), "resource_not_found");
    EXPECT_EQ(call("GET", "/v1/no/such/path").status, 404U);
    EXPECT_EQ(call("DELETE", "/v1/users").status, 404U);
}

TEST_F(ClerkApiTest, KnowsItsVersionsAndTakesOnlyOne) {
    auto asked = request("GET", "/v1/users");
    asked.headers.set("clerk-api-version", "2026-05-12");
    EXPECT_EQ(answer(asked).status, 200U);
    asked.query = "__clerk_api_version=2026-05-12";
    EXPECT_EQ(answer(asked).status, 400U);
    EXPECT_EQ(answer(asked).code(), "api_version_invalid");
    asked.headers.set("clerk-api-version", "1999-01-01");
    asked.query = "";
    EXPECT_EQ(answer(asked).code(), "api_version_invalid");
    EXPECT_EQ(call("GET", "/v1/users?__clerk_api_version=2021-02-05").status, 200U);
}

TEST_F(ClerkApiTest, AnswersJsonWithoutACharsetAndWithATraceId) {
    for (const auto* target : {"/v1/users", "/v1/users/user_x"}) {
        const auto answer = call("GET", target);
        EXPECT_EQ(answer.headers.get("content-type"), "application/json");
        EXPECT_EQ(answer.headers.get("x-clerk-trace-id")->size(), 32U);
    }
    const auto missing = call("GET", "/v1/users/user_x");
    EXPECT_EQ(missing.body.at("clerk_trace_id").as_string(),
              *missing.headers.get("x-clerk-trace-id"));
}

TEST_F(ClerkApiTest, CreatesAUserWithEveryRequiredMember) {
    const auto created = call("POST", "/v1/users",
                              {{"first_name", "Ada"},
                               {"email_address", {"Ada@Example.com", "b@example.com"}},
                               {"password", "correct horse"},
                               {"public_metadata", {{"role", "admin"}}},
                               {"created_at", "2012-10-20T07:15:20.902Z"}});
    ASSERT_EQ(created.status, 200U) << json::serialize(created.body);
    const auto& user = created.body.as_object();
    for (const auto* name : {"id",
                             "object",
                             "username",
                             "first_name",
                             "last_name",
                             "has_image",
                             "primary_email_address_id",
                             "primary_phone_number_id",
                             "primary_web3_wallet_id",
                             "password_enabled",
                             "two_factor_enabled",
                             "totp_enabled",
                             "backup_code_enabled",
                             "email_addresses",
                             "phone_numbers",
                             "web3_wallets",
                             "passkeys",
                             "external_accounts",
                             "saml_accounts",
                             "enterprise_accounts",
                             "public_metadata",
                             "external_id",
                             "last_sign_in_at",
                             "banned",
                             "locked",
                             "lockout_expires_in_seconds",
                             "verification_attempts_remaining",
                             "created_at",
                             "updated_at",
                             "delete_self_enabled",
                             "create_organization_enabled",
                             "last_active_at",
                             "mfa_enabled_at",
                             "mfa_disabled_at",
                             "legal_accepted_at"}) {
        EXPECT_TRUE(user.contains(name)) << name;
    }
    EXPECT_EQ(user.at("created_at").as_int64(), 1'350'717'320'902);
    EXPECT_EQ(user.at("updated_at").as_int64(), 1'700'000'000'000);
    EXPECT_EQ(user.at("email_addresses").at(0).at("email_address").as_string(), "Ada@Example.com");
    EXPECT_EQ(user.at("email_addresses").at(0).at("id"), user.at("primary_email_address_id"));
    EXPECT_TRUE(user.at("email_addresses").at(0).at("linked_to").is_array());
    EXPECT_EQ(user.at("email_addresses").at(0).at("verification").at("status").as_string(),
              "verified");
    EXPECT_EQ(events(), (std::vector<std::string>{"user.created"}));
    const auto event = last_event();
    EXPECT_EQ(event.at("data"), created.body);
    EXPECT_EQ(event.at("object").as_string(), "event");
    EXPECT_EQ(event.at("timestamp").as_int64(), 1'700'000'000'000);
    EXPECT_EQ(event.at("instance_id").as_string(), clerk_.id);
    EXPECT_EQ(event.at("event_attributes").at("http_request").at("user_agent").as_string(),
              "unit test");
}

TEST_F(ClerkApiTest, RefusesWhatASignUpMayNotSay) {
    create({{"email_address", {"a@example.com"}}, {"username", "ada"}, {"external_id", "1"}});
    const auto refused = [&](const json::object& body) {
        const auto answer = call("POST", "/v1/users", body);
        EXPECT_EQ(answer.status, 422U);
        return answer.code() + " " + answer.param();
    };
    EXPECT_EQ(refused({{"email_address", {"A@EXAMPLE.COM"}}}),
              "form_identifier_exists email_address");
    EXPECT_EQ(refused({{"username", "ADA"}}), "form_identifier_exists username");
    EXPECT_EQ(refused({{"external_id", "1"}}), "form_identifier_exists external_id");
    EXPECT_EQ(refused({{"email_address", {"b@example.com", "B@example.com"}}}),
              "form_identifier_exists email_address");
    EXPECT_EQ(refused({{"email_address", {"not an address"}}}),
              "form_param_format_invalid email_address");
    EXPECT_EQ(refused({{"email_address", "b@example.com"}}),
              "form_param_format_invalid email_address");
    EXPECT_EQ(refused({{"phone_number", {"555"}}}), "form_param_format_invalid phone_number");
    EXPECT_EQ(refused({{"first_name", 1}}), "form_param_format_invalid first_name");
    EXPECT_EQ(refused({{"password", "short"}}), "form_password_length_too_short password");
    EXPECT_EQ(refused({{"created_at", "yesterday"}}), "form_param_format_invalid created_at");
    EXPECT_EQ(refused({{"shoe_size", 46}}), "form_param_unknown shoe_size");
    EXPECT_EQ(clerk_.users.size(), 1U);
    EXPECT_EQ(answer(request("POST", "/v1/users", "{")).code(), "request_body_invalid");
    EXPECT_EQ(answer(request("POST", "/v1/users", "[]")).status, 400U);
    EXPECT_EQ(events().size(), 1U);
}

TEST_F(ClerkApiTest, AnAddressIsFreeAgainAfterItsUserIsDeleted) {
    const auto first = create({{"email_address", {"a@example.com"}}, {"external_id", "ex"}});
    const auto gone = call("DELETE", "/v1/users/" + first);
    EXPECT_EQ(
        gone.body,
        (json::value{{"object", "user"}, {"id", first}, {"deleted", true}, {"external_id", "ex"}}));
    EXPECT_EQ(last_event().at("type").as_string(), "user.deleted");
    EXPECT_EQ(last_event().at("data"), gone.body);
    EXPECT_EQ(call("DELETE", "/v1/users/" + first).status, 404U);
    EXPECT_NE(create({{"email_address", {"a@example.com"}}}), first);
    const auto second = create({{"username", "b"}});
    EXPECT_EQ(call("DELETE", "/v1/users/" + second).body.as_object().count("external_id"), 0U);
}

TEST_F(ClerkApiTest, MovesUpdatedAtForwardAtEveryChangeEvenInOneMillisecond) {
    const auto id = create({{"username", "a"}});
    std::int64_t before = 1'700'000'000'000;
    for (const auto* name : {"b", "c"}) {
        const auto changed = call("PATCH", "/v1/users/" + id, {{"first_name", name}});
        EXPECT_GT(changed.body.at("updated_at").as_int64(), before);
        before = changed.body.at("updated_at").as_int64();
    }
    ASSERT_TRUE(clerk_.faults.merge({{"same_millisecond", 1}}));
    const auto tied = call("PATCH", "/v1/users/" + id, {{"first_name", "d"}});
    EXPECT_EQ(tied.body.at("updated_at").as_int64(), before);
    EXPECT_EQ(tied.body.at("first_name").as_string(), "d");
    clock_.advance(5s);
    EXPECT_EQ(
        call("PATCH", "/v1/users/" + id, {{"first_name", "e"}}).body.at("updated_at").as_int64(),
        1'700'000'005'000);
    EXPECT_EQ(events().size(), 5U);
}

TEST_F(ClerkApiTest, UpdatesAttributesAndClearsThem) {
    const auto id = create({{"first_name", "A"}, {"last_name", "B"}, {"username", "ab"}});
    const auto changed = call("PATCH", "/v1/users/" + id,
                              {{"first_name", nullptr}, {"username", ""}, {"external_id", "x"}});
    EXPECT_TRUE(changed.body.at("first_name").is_null());
    EXPECT_TRUE(changed.body.at("username").is_null());
    EXPECT_EQ(changed.body.at("last_name").as_string(), "B");
    EXPECT_EQ(changed.body.at("external_id").as_string(), "x");
    EXPECT_EQ(call("PATCH", "/v1/users/user_x", {{"first_name", "A"}}).status, 404U);
    EXPECT_EQ(call("PATCH", "/v1/users/" + id, {{"primary_email_address_id", "idn_x"}}).param(),
              "primary_email_address_id");
}

TEST_F(ClerkApiTest, TakesMetadataInAPatchOnlyInOlderVersions) {
    const auto id = create({{"username", "a"}, {"public_metadata", {{"old", 1}}}});
    const json::value body{{"public_metadata", {{"role", "admin"}}}};
    EXPECT_EQ(call("PATCH", "/v1/users/" + id, body).code(), "form_param_unknown");
    const auto older = call("PATCH", "/v1/users/" + id + "?__clerk_api_version=2025-11-10", body);
    EXPECT_EQ(older.status, 200U);
    EXPECT_EQ(older.body.at("public_metadata"), (json::value{{"role", "admin"}}));
}

TEST_F(ClerkApiTest, MergesMetadataDeeplyAndReplacesItWhole) {
    const auto id =
        create({{"username", "a"},
                {"public_metadata", {{"keep", 1}, {"plan", {{"name", "pro"}, {"seats", 3}}}}},
                {"private_metadata", {{"secret", true}}}});
    const auto path = "/v1/users/" + id + "/metadata";
    const auto merged =
        call("PATCH", path,
             {{"public_metadata",
               {{"plan", {{"seats", nullptr}, {"extra", {{"x", 1}}}}}, {"list", {1, 2}}}}});
    EXPECT_EQ(merged.body.at("public_metadata"),
              json::parse(R"({"keep":1,"plan":{"name":"pro","extra":{"x":1}},"list":[1,2]})"));
    EXPECT_EQ(merged.body.at("private_metadata"), (json::value{{"secret", true}}));
    const auto replaced =
        call("PUT", path, {{"public_metadata", {{"only", 1}}}, {"private_metadata", nullptr}});
    EXPECT_EQ(replaced.body.at("public_metadata"), (json::value{{"only", 1}}));
    EXPECT_TRUE(replaced.body.at("private_metadata").is_null());
    EXPECT_EQ(call("PATCH", path, {{"private_metadata", {{"a", 1}}}}).body.at("private_metadata"),
              (json::value{{"a", 1}}));
    EXPECT_EQ(call("PATCH", path, {{"public_metadata", 5}}).status, 422U);
    EXPECT_EQ(call("PATCH", path, {{"metadata", 5}}).code(), "form_param_unknown");
}

TEST_F(ClerkApiTest, BansAndLocks) {
    const auto id = create({{"username", "a"}});
    const auto flag = [&](const std::string& verb, const char* name) {
        return call("POST", "/v1/users/" + id + "/" + verb).body.at(name).as_bool();
    };
    EXPECT_TRUE(flag("ban", "banned"));
    EXPECT_TRUE(flag("lock", "locked"));
    EXPECT_FALSE(flag("unban", "banned"));
    EXPECT_FALSE(flag("unlock", "locked"));
    EXPECT_EQ(events().size(), 5U);
    EXPECT_EQ(call("POST", "/v1/users/user_x/ban").status, 404U);
    const auto other = create({{"username", "b"}});
    const auto both = call("POST", "/v1/users/ban", {{"user_ids", {id, other}}});
    ASSERT_EQ(both.status, 200U);
    EXPECT_EQ(both.body.as_array().size(), 2U);
    EXPECT_EQ(call("GET", "/v1/users/count?banned=true").body.at("total_count").as_int64(), 2);
    EXPECT_EQ(call("POST", "/v1/users/unban", {{"user_ids", json::array()}}).status, 422U);
}

TEST_F(ClerkApiTest, ListsABareArrayAndCountsInAnObject) {
    for (int i = 0; i < 12; ++i) create({{"username", "u" + std::to_string(i)}});
    EXPECT_EQ(call("GET", "/v1/users").body.as_array().size(), 10U);
    EXPECT_EQ(call("GET", "/v1/users?limit=500").body.as_array().size(), 12U);
    EXPECT_EQ(call("GET", "/v1/users?limit=501").body.as_array().size(), 10U);
    EXPECT_EQ(call("GET", "/v1/users/count?limit=1&offset=5&starting_after=x").body,
              (json::value{{"object", "total_count"}, {"total_count", 12}}));
    EXPECT_EQ(call("GET", "/v1/users/?limit=1").body.as_array().size(), 1U);
}

TEST_F(ClerkApiTest, WalksWithACursorWhoseUserMayBeGone) {
    std::vector<std::string> ids;
    ids.reserve(5);
    for (int i = 0; i < 5; ++i) ids.push_back(create({{"username", "u" + std::to_string(i)}}));
    const auto after = "/v1/users?starting_after=" + ids[2];
    EXPECT_EQ(call("GET", after).body.as_array().size(), 2U);
    EXPECT_EQ(call("DELETE", "/v1/users/" + ids[2]).status, 200U);
    EXPECT_EQ(call("GET", after).body.as_array().size(), 2U);
    ASSERT_TRUE(clerk_.faults.merge({{"deleted_cursor", "refuse"}}));
    EXPECT_EQ(call("GET", after).status, 422U);
    EXPECT_EQ(call("GET", "/v1/users?starting_after=user_never").param(), "starting_after");
    EXPECT_EQ(call("GET", after + "&order_by=-updated_at").status, 422U);
    EXPECT_EQ(call("GET", after + "&offset=1").status, 422U);
}

TEST_F(ClerkApiTest, KeepsEmailAddressesOfTheirOwn) {
    const auto id = create({{"email_address", {"a@example.com"}}});
    const auto other = create({{"email_address", {"other@example.com"}}});
    EXPECT_EQ(call("POST", "/v1/email_addresses",
                   {{"user_id", id}, {"email_address", "other@example.com"}})
                  .code(),
              "form_identifier_exists");
    const auto added =
        call("POST", "/v1/email_addresses", {{"user_id", id}, {"email_address", "b@example.com"}});
    ASSERT_EQ(added.status, 200U) << json::serialize(added.body);
    EXPECT_TRUE(added.body.at("verification").is_null()) << "not verified";
    const auto email_id = std::string(added.body.at("id").as_string());
    const auto path = "/v1/email_addresses/" + email_id;
    EXPECT_EQ(call("PATCH", path, {{"primary", true}}).status, 422U);
    const auto verified = call("PATCH", path, {{"verified", true}, {"primary", true}});
    EXPECT_EQ(verified.body.at("verification").at("status").as_string(), "verified");
    EXPECT_EQ(call("GET", path).body, verified.body);
    auto user = call("GET", "/v1/users/" + id).body;
    EXPECT_EQ(user.at("primary_email_address_id").as_string(), email_id);
    EXPECT_EQ(call("DELETE", path).body.at("deleted"), json::value(true));
    user = call("GET", "/v1/users/" + id).body;
    EXPECT_EQ(user.at("email_addresses").as_array().size(), 1U);
    EXPECT_EQ(user.at("primary_email_address_id"), user.at("email_addresses").at(0).at("id"));
    EXPECT_EQ(call("GET", path).status, 404U);
    const auto replaced = call("PUT", "/v1/users/" + other + "/email_address",
                               {{"email_address", "new@example.com"}});
    EXPECT_EQ(replaced.body.at("object").as_string(), "email_address");
    EXPECT_EQ(call("GET", "/v1/users?email_address=other@example.com").body.as_array().size(), 0U);
    EXPECT_EQ(events().back(), "user.updated");
}

TEST_F(ClerkApiTest, LimitsTheRateAsDocumented) {
    ClerkInstance clerk(1, {}, 10, 1, {.per_instance = 100}, clock_);
    clerk.secret_key = "sk_test_unit";
    ClerkApi api(clerk);
    clock_.advance(1h);
    const auto asked = request("GET", "/v1/users");
    for (int i = 0; i < 100; ++i) EXPECT_EQ(api.answer(asked).status, 200U);
    clock_.advance(2500ms);
    const auto refused = api.answer(asked);
    EXPECT_EQ(refused.status, 429U);
    EXPECT_EQ(refused.headers.get("retry-after"), "8");
    clock_.advance(8s);
    EXPECT_EQ(api.answer(asked).status, 200U);
    EXPECT_EQ(clerk.rate_limiter.refused(), 1U);
}

TEST_F(ClerkApiTest, LimitsTheChangesOfOneUser) {
    ClerkInstance clerk(1, {}, 100, 1, {.per_instance = 1000}, clock_);
    clerk.secret_key = "sk_test_unit";
    ClerkApi api(clerk);
    const auto id = clerk.populate(1, nullptr, false).front();
    const auto change = request("PATCH", "/v1/users/" + id + "/metadata", "{}");
    for (int i = 0; i < 10; ++i) EXPECT_EQ(api.answer(change).status, 200U);
    EXPECT_EQ(api.answer(change).status, 429U);
    EXPECT_EQ(api.answer(request("GET", "/v1/users/" + id)).status, 200U);
}

TEST_F(ClerkApiTest, AnswersBadlyWhenAsked) {
    const auto id = create({{"username", "a"}});
    create({{"username", "b"}});
    const auto once = [&](const char* fault, const std::string& target) {
        EXPECT_TRUE(clerk_.faults.merge({{fault, 1}}));
        auto response = api_.answer(request("GET", target));
        const auto after = call("GET", "/v1/users/" + id);
        EXPECT_EQ(after.status, 200U) << fault << " must strike once";
        return response;
    };
    const auto limited = once("api_429", "/v1/users");
    EXPECT_EQ(limited.status, 429U);
    EXPECT_EQ(limited.headers.get("retry-after"), "1");
    EXPECT_EQ(once("api_401", "/v1/users").status, 401U);
    EXPECT_EQ(once("api_404", "/v1/users/" + id).status, 404U);
    EXPECT_GE(once("api_5xx", "/v1/users").status, 500U);
    EXPECT_EQ(once("api_empty_list", "/v1/users").body, "[]");
    EXPECT_EQ(json::parse(once("api_short_list", "/v1/users").body).as_array().size(), 1U);
    const auto page = once("api_not_json", "/v1/users");
    EXPECT_EQ(page.status, 200U);
    EXPECT_TRUE(page.headers.get("content-type")->starts_with("text/html"));
    boost::system::error_code error;
    (void)json::parse(once("api_truncated_body", "/v1/users").body, error);
    EXPECT_TRUE(error.failed());
    EXPECT_NE(json::parse(once("api_wrong_count", "/v1/users/count").body).at("total_count"),
              json::value(2));
    EXPECT_TRUE(clerk_.faults.merge({{"api_slow", 1}, {"slow_seconds", 3}}));
    EXPECT_EQ(api_.wait_before(request("GET", "/v1/users")).duration, 3s);
    EXPECT_EQ(api_.wait_before(request("GET", "/v1/users")).duration, 0s);
    EXPECT_TRUE(clerk_.faults.merge({{"api_hang", 1}}));
    EXPECT_TRUE(api_.wait_before(request("GET", "/v1/users")).hang);
}

TEST_F(ClerkApiTest, AnErrorInsteadOfAnAnswerChangesNothing) {
    ASSERT_TRUE(clerk_.faults.merge({{"api_5xx", true}}));
    std::set<unsigned> statuses;
    for (int i = 0; i < 50; ++i) {
        statuses.insert(call("POST", "/v1/users", {{"username", "x"}}).status);
    }
    EXPECT_EQ(statuses, (std::set<unsigned>{500, 502, 503}));
    EXPECT_EQ(clerk_.users.size(), 0U);
    EXPECT_TRUE(events().empty());
}

TEST_F(ClerkApiTest, RemembersWhatItWasAsked) {
    call("GET", "/v1/instance");
    auto traced = request("GET", "/v1/users/user_a?x=1");
    traced.headers.set("traceparent", "00-1-2-01");
    answer(traced);
    ASSERT_EQ(clerk_.api_records.size(), 2U);
    EXPECT_EQ(clerk_.api_records[0].traceparent, "");
    EXPECT_EQ(clerk_.api_records[1].path, "/v1/users/user_a");
    EXPECT_EQ(clerk_.api_records[1].traceparent, "00-1-2-01");
    for (std::size_t i = 0; i < ClerkInstance::records_max; ++i) call("GET", "/v1/instance");
    EXPECT_EQ(clerk_.api_records.size(), ClerkInstance::records_max);
}

TEST_F(ClerkApiTest, TellsItsInstance) {
    const auto instance = call("GET", "/v1/instance").body;
    EXPECT_EQ(instance.at("id").as_string(), clerk_.id);
    EXPECT_EQ(instance.at("environment_type").as_string(), "development");
}

}  // namespace
}  // namespace rollcall::sim
