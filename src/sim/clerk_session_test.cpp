#include "sim/clerk_session.hpp"

#include "sim/clerk_api.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace rollcall::sim {
namespace {

using namespace std::chrono_literals;

class ClerkSessionTest : public testing::Test {
protected:
    ClerkSessionTest() {
        clerk_.secret_key = "sk_test_unit";
        clerk_.endpoint.url = "http://127.0.0.1:1/";
        user_ = clerk_.populate(1, nullptr, false).front();
    }

    struct Answer {
        unsigned status = 0;
        json::value body;

        [[nodiscard]] std::string text(std::string_view member) const {
            return std::string(body.at(member).as_string());
        }
        [[nodiscard]] std::string code() const {
            return std::string(body.at("errors").at(0).at("code").as_string());
        }
    };

    static http::Request request(const std::string& method, const std::string& target,
                                 const json::value& body = {}) {
        http::Request request;
        request.method = method;
        const auto mark = std::min(target.find('?'), target.size());
        request.path = target.substr(0, mark);
        if (mark < target.size()) request.query = target.substr(mark + 1);
        request.headers.set("authorization", "Bearer sk_test_unit");
        if (!body.is_null()) request.body = json::serialize(body);
        return request;
    }

    Answer call(const std::string& method, const std::string& target,
                const json::value& body = {}) {
        const auto response = api_.answer(request(method, target, body));
        boost::system::error_code error;
        return {response.status, json::parse(response.body, error)};
    }

    std::string start() {
        return call("POST", "/v1/sessions", json::object{{"user_id", user_}}).text("id");
    }

    // Types of the session events so far.
    [[nodiscard]] std::vector<std::string> events() const {
        std::vector<std::string> types;
        for (const auto& [serial, message] : clerk_.messages.all()) {
            if (message.type.starts_with("session.")) types.push_back(message.type);
        }
        return types;
    }

    ManualClock clock_{SystemTime(1'700'000'000'000ms)};
    ClerkInstance clerk_{1, {}, 1000, 1, {}, clock_};
    ClerkApi api_{clerk_};
    std::string user_;
};

TEST_F(ClerkSessionTest, BeginsIsFoundAndIsRevoked) {
    const auto made = call("POST", "/v1/sessions",
                           json::object{{"user_id", user_}, {"active_organization_id", "org_1"}});
    ASSERT_EQ(made.status, 200U);
    const auto id = made.text("id");
    EXPECT_EQ(made.text("status"), "active");
    EXPECT_EQ(made.text("last_active_organization_id"), "org_1");
    EXPECT_EQ(call("GET", "/v1/sessions/" + id).body, made.body);
    const auto revoked = call("POST", "/v1/sessions/" + id + "/revoke");
    EXPECT_EQ(revoked.text("status"), "revoked");
    EXPECT_EQ(events(), (std::vector<std::string>{"session.created", "session.revoked"}));
    const auto event = json::parse(clerk_.messages.all().rbegin()->second.body);
    EXPECT_EQ(event.at("data").at("id"), made.body.at("id"));
    EXPECT_EQ(event.at("data").at("user").at("id"), json::value(user_));
    EXPECT_EQ(event.at("data").at("status"), "revoked");
    // Once.
    EXPECT_EQ(call("POST", "/v1/sessions/" + id + "/revoke").body, revoked.body);
    EXPECT_EQ(events().size(), 2U);
}

TEST_F(ClerkSessionTest, RefusesWhatClerkRefuses) {
    EXPECT_EQ(call("POST", "/v1/sessions", json::object()).code(), "form_param_missing");
    EXPECT_EQ(call("POST", "/v1/sessions", json::object{{"user_id", "user_x"}}).code(),
              "resource_not_found");
    EXPECT_EQ(call("POST", "/v1/sessions", json::object{{"user", user_}}).code(),
              "form_param_unknown");
    EXPECT_EQ(call("GET", "/v1/sessions").code(), "form_param_missing");
    EXPECT_EQ(call("GET", "/v1/sessions/sess_x").code(), "resource_not_found");
    EXPECT_EQ(call("POST", "/v1/sessions/sess_x/revoke").code(), "resource_not_found");
    EXPECT_EQ(call("POST", "/v1/sessions/sess_x/tokens").code(), "resource_not_found");
    const auto tokens = "/v1/sessions/" + start() + "/tokens";
    for (const json::value& seconds :
         {json::value(29), json::value(315'360'001), json::value("x")}) {
        EXPECT_EQ(call("POST", tokens, json::object{{"expires_in_seconds", seconds}}).code(),
                  "form_param_format_invalid");
    }
    call("POST", "/v1/users/" + user_ + "/ban");
    EXPECT_EQ(call("POST", "/v1/sessions", json::object{{"user_id", user_}}).status, 422U);
}

TEST_F(ClerkSessionTest, ListsTheNewestFirst) {
    const auto first = start();
    const auto second = start();
    call("POST", "/v1/sessions/" + first + "/revoke");
    const auto of_user = "/v1/sessions?user_id=" + user_;
    const auto all = call("GET", of_user);
    ASSERT_EQ(all.body.as_array().size(), 2U);
    EXPECT_EQ(all.body.at(0).at("id"), json::value(second));
    const auto paged = call("GET", of_user + "&paginated=true&limit=1&offset=1");
    EXPECT_EQ(paged.body.at("total_count"), 2);
    EXPECT_EQ(paged.body.at("data").as_array().size(), 1U);
    EXPECT_EQ(paged.body.at("data").at(0).at("id"), json::value(first));
    EXPECT_EQ(call("GET", of_user + "&status=revoked").body.at(0).at("id"), json::value(first));
    EXPECT_TRUE(call("GET", "/v1/sessions?user_id=user_x").body.as_array().empty());
    EXPECT_EQ(call("GET", of_user + "&limit=0").status, 422U);
}

TEST_F(ClerkSessionTest, TokensAreMadeWhileItLives) {
    const auto id = start();
    const auto tokens = "/v1/sessions/" + id + "/tokens";
    const auto token = call("POST", tokens);
    EXPECT_EQ(token.text("object"), "token");
    EXPECT_EQ(std::ranges::count(token.text("jwt"), '.'), 2);
    EXPECT_EQ(call("POST", tokens + "/supabase").status, 200U);
    clock_.advance(std::chrono::hours(24 * 7));
    EXPECT_EQ(call("GET", "/v1/sessions/" + id).text("status"), "expired");
    EXPECT_EQ(call("POST", tokens).code(), "resource_not_found");
    const auto next = start();
    call("POST", "/v1/sessions/" + next + "/revoke");
    EXPECT_EQ(call("POST", "/v1/sessions/" + next + "/tokens").code(), "resource_not_found");
}

TEST_F(ClerkSessionTest, GoesWithItsUser) {
    const auto first = start();
    const auto second = start();
    call("POST", "/v1/users/" + user_ + "/ban");
    for (const auto& id : {first, second}) {
        EXPECT_EQ(call("GET", "/v1/sessions/" + id).text("status"), "revoked");
    }
    EXPECT_EQ(std::ranges::count(events(), "session.revoked"), 2);
    call("DELETE", "/v1/users/" + user_);
    EXPECT_EQ(call("GET", "/v1/sessions/" + first).status, 404U);
    EXPECT_TRUE(clerk_.sessions.all().empty());
}

TEST_F(ClerkSessionTest, ThereAreSoManyAtMost) {
    SessionStore store;
    for (std::size_t at = 0; at < SessionStore::sessions_max; ++at) {
        store.add({.id = "sess_" + std::to_string(1'000'000 + at)}, 0);
    }
    store.find("sess_1000007")->status = SessionStatus::ended;
    store.add({.id = "sess_2"}, 0);
    EXPECT_EQ(store.find("sess_1000007"), nullptr) << "it was over";
    store.add({.id = "sess_3"}, 0);
    EXPECT_EQ(store.find("sess_1000000"), nullptr) << "the oldest";
    EXPECT_EQ(store.all().size(), SessionStore::sessions_max);
}

TEST_F(ClerkSessionTest, TheKeySetIsPublishedTwice) {
    auto backend = request("GET", "/v1/jwks");
    auto frontend = request("GET", "/.well-known/jwks.json");
    frontend.headers = {};
    const auto set = api_.answer(frontend);
    EXPECT_EQ(set.status, 200U);
    EXPECT_EQ(set.body, api_.answer(backend).body);
    EXPECT_EQ(json::parse(set.body).at("keys").at(0).at("kid"), json::value(clerk_.id));
    backend.headers = {};
    EXPECT_EQ(api_.answer(backend).status, 401U);
}

TEST_F(ClerkSessionTest, TheKeySetHasFaultsOfItsOwn) {
    for (const auto* path : {"/v1/jwks", "/.well-known/jwks.json"}) {
        const auto asked = request("GET", path);
        const auto with = [&](std::string_view fault) {
            clerk_.faults.clear();
            EXPECT_TRUE(clerk_.faults.merge({{fault, 1}}).has_value());
            const auto wait = api_.wait_before(asked);
            const auto response = api_.answer(asked);
            EXPECT_EQ(clerk_.faults.struck().size(), 1U) << fault;
            return std::pair{wait, response};
        };
        EXPECT_EQ(with("jwks_drop").second.status, 0U);
        EXPECT_EQ(with("jwks_500").second.status, 500U);
        EXPECT_EQ(with("jwks_429").second.headers.get("retry-after"), "1");
        EXPECT_EQ(with("jwks_not_json").second.headers.get("content-type"),
                  "text/html; charset=UTF-8");
        EXPECT_TRUE(with("jwks_hang").first.hang);
        EXPECT_EQ(with("jwks_slow").first.duration, 2s);
        // Those of the other routes are not used up.
        EXPECT_TRUE(clerk_.faults.merge({{"api_5xx", 1}, {"api_hang", 1}}).has_value());
        EXPECT_EQ(api_.wait_before(asked).duration, 0s);
        EXPECT_EQ(api_.answer(asked).status, 200U);
    }
}

}  // namespace
}  // namespace rollcall::sim
