// Over a loopback socket: what is really asked of Supabase Auth, and what comes of its answers.
#include "supabase/http_auth_api.hpp"

#include "http/loopback_test.hpp"

#include <gmock/gmock.h>
#include <deque>
#include <vector>

namespace rollcall::supabase {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr const char* ann = "820ab225-b053-5f6e-8f69-e60e3ffa53ca";
constexpr const char* ben = "11111111-1111-4111-8111-111111111111";
constexpr const char* eve = "22222222-2222-4222-8222-222222222222";
constexpr const char* not_there = R"({"code":404,"error_code":"user_not_found","msg":"canary"})";

std::string user(const std::string& id, const std::string& email = "ann@example.com") {
    return R"({"id":")" + id + R"(","aud":"authenticated","email":")" + email +
           R"(","phone":"","app_metadata":{"provider":"email","clerk_id":"user_ann",)"
           R"("role":"admin"},"user_metadata":{"full_name":"Ann"},"identities":null,)"
           R"("email_confirmed_at":"2026-01-01T00:00:00Z","is_anonymous":false})";
}

std::string users(const std::vector<std::string>& list) {
    std::string body = R"({"users":[)";
    for (const std::string& one : list) body += (body.ends_with('[') ? "" : ",") + one;
    return body + R"(],"aud":"authenticated"})";
}

AuthChange change() {
    return {.clerk_id = "user_ann",
            .email = "Ann@example.com",
            .phone = std::nullopt,
            .name = "Ann \"A\" Lee",
            .role = "admin",
            .banned = false};
}

class HttpAuthApiTest : public http::LoopbackTest {
public:
    HttpAuthApiTest() {
        for (const char* base : {"/auth/v1/admin/users", "/admin/users"}) {
            const auto answer = [this](http::Request& request) { return reply(request); };
            router_.add({"GET", "POST"}, base, answer);
            router_.add({"GET", "PUT", "DELETE"}, std::string(base) + "/{id}", answer);
        }
        start();
        config.url = "http://127.0.0.1:" + std::to_string(server_->port());
        config.key = Secret("sb_secret_of_the_tests");
        config.path = AuthPath::hosted;
        config.user_agent = "rollcall/test";
        config.timeout = 10s;
    }

protected:
    // With what is in `config` by the first use.
    HttpAuthApi& api() {
        if (!channel_) {
            channel_.emplace(io_.get_executor(), config, registry_);
            api_.emplace(*channel_);
        }
        return *api_;
    }
    AuthChannel& channel() {
        api();
        return *channel_;
    }
    // Why nothing new is asked; as if no time had passed since the test began.
    std::string waits() {
        const auto wait = channel().waits(begun);
        return wait ? std::string(wait->reason) : "";
    }
    // From now on, after what `next` holds.
    void says(unsigned status, std::string body) {
        always = http::Response::json(status, std::move(body));
    }

    AuthConfig config;
    std::deque<http::Response> next;
    http::Response always = http::Response::json(200, "{}");
    bool bare = false;  // no gateway: nothing below /auth/v1
    std::vector<http::Request> asked;
    const SteadyTime begun = real_clock().steady();

private:
    Task<http::Response> reply(http::Request& request) {
        asked.push_back(request);
        if (bare && request.path.starts_with("/auth/v1")) {
            co_return http::Response::text(404, "404 page not found");
        }
        if (next.empty()) co_return always;
        http::Response response = std::move(next.front());
        next.pop_front();
        co_return response;
    }

    std::optional<AuthChannel> channel_;
    std::optional<HttpAuthApi> api_;
};

TEST_F(HttpAuthApiTest, CreatesWithItsOwnIdAndConfirmsTheAddress) {
    says(200, user(ann));
    const auto created = run(api().create(ann, change()));
    ASSERT_TRUE(created) << created.error().message;
    EXPECT_EQ(created->clerk_id, "user_ann");
    EXPECT_EQ(created->role, "admin");
    EXPECT_TRUE(created->email_confirmed);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].method, "POST");
    EXPECT_EQ(asked[0].target, "/auth/v1/admin/users");
    EXPECT_EQ(asked[0].headers.get("apikey"), "sb_secret_of_the_tests");
    EXPECT_EQ(asked[0].headers.get("Authorization"), "Bearer sb_secret_of_the_tests");
    EXPECT_EQ(asked[0].headers.get("User-Agent"), "rollcall/test");
    EXPECT_EQ(asked[0].headers.count("X-Supabase-Api-Version"), 0U);
    EXPECT_EQ(asked[0].body,
              std::string(R"({"id":")") + ann +
                  R"(","email":"Ann@example.com","email_confirm":true,)"
                  R"("app_metadata":{"clerk_id":"user_ann","role":"admin"},)"
                  R"("user_metadata":{"full_name":"Ann \"A\" Lee","name":"Ann \"A\" Lee"}})");
}

TEST_F(HttpAuthApiTest, ACallersRequestsAreSpansOfItsTrace) {
    const auto trace =
        parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").value();
    says(200, user(ann));
    HttpAuthApi traced(channel(), trace);
    EXPECT_TRUE(run(traced.create(ann, change())));
    EXPECT_TRUE(run(traced.get(ann)));
    EXPECT_TRUE(run(traced.remove(ann)));
    EXPECT_TRUE(run(api().get(ann)));
    ASSERT_EQ(asked.size(), 4U);
    for (std::size_t i = 0; i < 3; ++i) {
        const auto sent = parse_traceparent(asked[i].headers.get("traceparent").value_or(""));
        ASSERT_TRUE(sent) << i;
        EXPECT_EQ(sent->trace, trace.trace);
        EXPECT_NE(sent->span, trace.span);
    }
    EXPECT_FALSE(asked[3].headers.get("traceparent"));
}

TEST_F(HttpAuthApiTest, UpdatesTakeAwayWhatIsNotThereAndLiftBans) {
    says(200, user(ann));
    AuthChange now = change();
    now.name.reset();
    now.email.reset();
    now.phone = "+15550100";
    EXPECT_TRUE(run(api().update(ann, now)));
    now.banned = true;
    EXPECT_TRUE(run(api().update(ann, now)));
    EXPECT_TRUE(run(api().set_email(ann, "x@rollcall.invalid")));
    EXPECT_TRUE(run(api().set_password(ann, "nobody's \"0\"")));
    ASSERT_EQ(asked.size(), 4U);
    EXPECT_EQ(asked[0].method, "PUT");
    EXPECT_EQ(asked[0].target, std::string("/auth/v1/admin/users/") + ann);
    EXPECT_THAT(asked[0].body, HasSubstr(R"("full_name":null,"name":null)"));
    EXPECT_THAT(asked[0].body, HasSubstr(R"("phone":"+15550100","phone_confirm":true)"));
    EXPECT_THAT(asked[0].body, HasSubstr(R"("ban_duration":"none")"));
    EXPECT_THAT(asked[0].body, Not(HasSubstr("email")));
    EXPECT_THAT(asked[1].body, HasSubstr(R"("ban_duration":"876000h")"));
    EXPECT_EQ(asked[2].body, R"({"email":"x@rollcall.invalid","email_confirm":true})");
    EXPECT_EQ(asked[3].body, R"({"password":"nobody's \"0\""})");
}

TEST_F(HttpAuthApiTest, OnlyAuthsOwn404MeansThatAUserIsGone) {
    says(404, not_there);
    const auto none = run(api().get(ann));
    ASSERT_TRUE(none);
    EXPECT_FALSE(*none);
    EXPECT_TRUE(run(api().remove(ann)));
    EXPECT_EQ(asked[1].body, R"({"should_soft_delete":false})");
    for (const char* body : {"<html>Not Found</html>", R"({"code":"validation_failed"})"}) {
        says(404, body);
        EXPECT_FALSE(run(api().get(ann))) << body;
        EXPECT_FALSE(run(api().remove(ann))) << body;
    }
    says(404, not_there);
    EXPECT_EQ(run(api().update(ann, change())).error().fault, AuthFault::not_found);
}

TEST_F(HttpAuthApiTest, AnAnswerThatIsNotWhatWasAskedForIsNone) {
    const std::string other = "00000000-0000-5000-8000-000000000000";
    for (const std::string& body : {std::string("<html>Sign in</html>"), std::string(), user(other),
                                    std::string("[]"), user(ann).substr(0, 60)}) {
        says(200, body);
        for (const AuthError& error :
             {run(api().get(ann)).error(), run(api().update(ann, change())).error(),
              run(api().create(ann, change())).error(), run(api().find("a@b")).error()}) {
            EXPECT_EQ(error.fault, AuthFault::away) << body;
            EXPECT_TRUE(error.outcome_unknown());
        }
    }
    says(201, user(ann));
    EXPECT_FALSE(run(api().get(ann)));
}

// A proxy's page; a user deleted here would go on there, and nobody would look again.
TEST_F(HttpAuthApiTest, ARemovalIsDoneWhenAuthSaysSo) {
    for (const char* body : {"<html>Sign in</html>", "", "[]", "true", R"({"aud":)"}) {
        says(200, body);
        const AuthError error = run(api().remove(ann)).error();
        EXPECT_EQ(error.fault, AuthFault::away) << body;
        EXPECT_TRUE(error.outcome_unknown());
        EXPECT_THAT(error.message, HasSubstr("SUPABASE_URL"));
    }
    says(200, "{}");
    EXPECT_TRUE(run(api().remove(ann)));
    says(200, user(ann));
    EXPECT_TRUE(run(api().remove(ann))) << "a later Auth may say who it was";
}

// Nor can the database keep one: it would refuse the whole page.
TEST_F(HttpAuthApiTest, WhoseIdIsNoUuidIsNoUserOfAuths) {
    for (const std::string id :
         {"1", "", "820ab225-b053-5f6e-8f69-e60e3ffa53c", "820ab225-b053-5f6e-8f69-e60e3ffa53ca0",
          "820ab225-b053-5f6e-8f69-e60e3ffa53cg", "820ab225xb053-5f6e-8f69-e60e3ffa53ca"}) {
        says(200, users({user(ben), user(id)}));
        EXPECT_EQ(run(api().find("ben@example.com")).error().fault, AuthFault::away) << id;
        EXPECT_EQ(run(api().page(1, 10)).error().fault, AuthFault::away) << id;
    }
}

TEST_F(HttpAuthApiTest, WhatUsersWriteAboutThemselvesDoesNotHideThem) {
    std::string body = user(ann);
    body.insert(body.find(R"("full_name")"), R"("big":100000000000000000000,"lone":"\ud800",)");
    says(200, body);
    const auto read = run(api().get(ann));
    ASSERT_TRUE(read);
    EXPECT_EQ((**read).clerk_id, "user_ann");
    EXPECT_EQ((**read).full_name, "Ann");
}

TEST_F(HttpAuthApiTest, SaysWhatStateAUserIsIn) {
    says(200, std::string(R"({"id":")") + ann +
                  R"(","email":null,"phone":"15550100","banned_until":"2126-01-01T00:00:00Z",)"
                  R"("deleted_at":"2026-01-01T00:00:00Z","app_metadata":null})");
    const auto read = run(api().get(ann));
    ASSERT_TRUE(read);
    const AuthUser& seen = **read;
    EXPECT_EQ(seen.email, "");
    EXPECT_EQ(seen.phone, "15550100");
    EXPECT_EQ(seen.clerk_id, "");
    EXPECT_TRUE(seen.banned);
    EXPECT_TRUE(seen.soft_deleted);
    EXPECT_FALSE(seen.email_confirmed);
}

TEST_F(HttpAuthApiTest, SaysHowElseAUserCouldSignIn) {
    const auto other_sign_in = [&](const std::string& members) {
        says(200, std::string(R"({"id":")") + ann + R"(","email":"a@b.co",)" + members + "}");
        const auto read = run(api().get(ann));
        return read && *read ? (**read).other_sign_in : "unread";
    };
    EXPECT_EQ(other_sign_in(R"("identities":[{"provider":"email"}],)"
                            R"("app_metadata":{"provider":"email","providers":["email"]})"),
              "");
    EXPECT_EQ(other_sign_in(R"("identities":null,"app_metadata":{})"), "");
    EXPECT_EQ(other_sign_in(R"("identities":[{"provider":"email"},{"provider":"github"}])"),
              "github");
    EXPECT_EQ(other_sign_in(R"("app_metadata":{"provider":"email","providers":["phone","email"]})"),
              "phone");
    EXPECT_EQ(other_sign_in(R"("app_metadata":{"provider":"azure"})"), "azure");
    EXPECT_EQ(other_sign_in(R"("identities":[7,{"provider":8}],"app_metadata":{"providers":9})"),
              "");
}

TEST_F(HttpAuthApiTest, FindsTheOneWithThatAddressAmongThoseThatTheFilterLetsThrough) {
    // _ and % are wildcards to Auth, and it looks at names too.
    next.push_back(http::Response::json(
        200, users({user(ben, "axb99c@example.com"), user(eve, "a_b%c@example.com.au"),
                    user(ann, "a_b%c@example.com")})));
    const auto found = run(api().find("A_b%c@Example.com"));
    ASSERT_TRUE(found);
    ASSERT_TRUE(*found);
    EXPECT_EQ((**found).id, ann);
    EXPECT_EQ(asked[0].target,
              "/auth/v1/admin/users?page=1&per_page=1000&filter=a_b%25c%40example.com");
}

// Auth lets an ordinary user have the address that one of a company's sign-in has.
TEST_F(HttpAuthApiTest, WhoHasAnAddressByACompanysSignInIsInNobodysWay) {
    std::string of_sso = user(ben);
    of_sso.replace(of_sso.find(R"("provider":"email")"), 18, R"("provider":"sso:6d2f")");
    next.push_back(http::Response::json(200, users({of_sso, user(ann)})));
    const auto found = run(api().find("ann@example.com"));
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((**found).id, ann);
    says(200, users({of_sso}));
    const auto nobody = run(api().find("ann@example.com"));
    ASSERT_TRUE(nobody);
    EXPECT_FALSE(*nobody);
}

TEST_F(HttpAuthApiTest, LooksAtEveryPageButNotForEver) {
    const std::string full = users(std::vector<std::string>(1'000, user(ben, "other@example.com")));
    next.push_back(http::Response::json(200, full));
    next.push_back(http::Response::json(200, full));
    next.push_back(http::Response::json(200, users({})));
    const auto nobody = run(api().find("a@example.com"));
    ASSERT_TRUE(nobody);
    EXPECT_FALSE(*nobody);
    EXPECT_THAT(asked[2].target, HasSubstr("page=3&"));
    says(200, full);
    EXPECT_EQ(run(api().find("a@example.com")).error().fault, AuthFault::opaque);
    EXPECT_EQ(asked.size(), 23U);
}

TEST_F(HttpAuthApiTest, APageSaysHowManyThereAreAndWhetherItIsTheLast) {
    auto response = http::Response::json(200, users({user(ben), user(eve)}));
    response.headers.add("X-Total-Count", "7");
    response.headers.add("Link", "<odd");
    next.push_back(response);
    const auto page = run(api().page(3, 2));
    ASSERT_TRUE(page);
    EXPECT_EQ(page->users.size(), 2U);
    EXPECT_EQ(page->total, 7);
    EXPECT_FALSE(page->last);
    EXPECT_EQ(asked[0].target, "/auth/v1/admin/users?page=3&per_page=2&sort=created_at%20asc");
    says(200, users({user(ben)}));
    EXPECT_TRUE(run(api().page(4, 2))->last);
    // One user that cannot be read would look like one who is not there.
    says(200, users({user(ben), "{}"}));
    EXPECT_FALSE(run(api().page(1, 2)));
}

TEST_F(HttpAuthApiTest, FindsOutOnceWhetherThereIsAGateway) {
    config.path = AuthPath::automatic;
    bare = true;
    next.push_back(http::Response::json(200, users({})));
    says(200, user(ann));
    EXPECT_TRUE(run(api().get(ann)));
    EXPECT_TRUE(run(api().get(ann)));
    ASSERT_EQ(asked.size(), 4U);
    EXPECT_EQ(asked[0].target, "/auth/v1/admin/users?page=1&per_page=1");
    EXPECT_EQ(asked[1].target, "/admin/users?page=1&per_page=1");
    EXPECT_EQ(asked[2].target, std::string("/admin/users/") + ann);
    EXPECT_EQ(asked[3].target, std::string("/admin/users/") + ann);
}

TEST_F(HttpAuthApiTest, WhileItIsAwayNothingIsFoundOutOfThePath) {
    config.path = AuthPath::automatic;
    next.push_back(http::Response::text(502, "Bad Gateway"));
    next.push_back(http::Response::text(200, "<html>Sign in</html>"));
    EXPECT_EQ(run(api().get(ann)).error().fault, AuthFault::away);
    EXPECT_EQ(run(api().get(ann)).error().fault, AuthFault::away);
    EXPECT_EQ(asked.size(), 2U);
    next.push_back(http::Response::json(200, users({})));
    says(200, user(ann));
    EXPECT_TRUE(run(api().get(ann)));
    EXPECT_EQ(asked.back().target, std::string("/auth/v1/admin/users/") + ann);
}

TEST_F(HttpAuthApiTest, NobodyThereIsSaidWithTheSetting) {
    config.path = AuthPath::automatic;
    says(404, "<html>Not Found</html>");
    const auto answer = run(api().get(ann));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().fault, AuthFault::away);
    EXPECT_THAT(answer.error().message, HasSubstr("SUPABASE_URL"));
}

TEST_F(HttpAuthApiTest, ASecretKeyWithoutAGatewayIsExplained) {
    config.path = AuthPath::bare;
    says(403, R"({"code":403,"error_code":"bad_jwt","msg":"canary"})");
    const log::Capture log;
    for (int i = 0; i < 3; ++i) {
        const AuthError error = run(api().get(ann)).error();
        EXPECT_EQ(error.fault, AuthFault::key_refused);
        EXPECT_THAT(error.message, HasSubstr("service_role JWT only"));
        EXPECT_THAT(error.message, Not(HasSubstr("canary")));
    }
    const std::string text(log.text());
    EXPECT_EQ(text.find("mirror_key_refused"), text.rfind("mirror_key_refused")) << "once a minute";
    EXPECT_THAT(text, Not(HasSubstr("of_the_tests")));
}

TEST_F(HttpAuthApiTest, AfterA429NobodyAsksForAWhile) {
    always = http::Response::json(429, "{}");
    always.headers.add("Retry-After", "600");
    const AuthError first = run(api().get(ann)).error();
    EXPECT_EQ(first.fault, AuthFault::rate_limited);
    EXPECT_TRUE(first.sent);
    EXPECT_EQ(first.wait, 600s);
    EXPECT_EQ(api().room(8), 0);
    EXPECT_EQ(waits(), "rate_limited");
    const AuthError second = run(api().find("a@example.com")).error();
    EXPECT_EQ(second.fault, AuthFault::rate_limited);
    EXPECT_FALSE(second.sent);
    EXPECT_GT(second.wait, 1s);
    EXPECT_EQ(asked.size(), 1U);
}

TEST_F(HttpAuthApiTest, A429ThatSaysNothingHoldsForASecondAtFirst) {
    says(429, "{}");
    EXPECT_EQ(run(api().get(ann)).error().wait, 1s);
    run_until([&] { return api().room(1) == 1; });
    EXPECT_EQ(run(api().get(ann)).error().wait, 2s);
}

TEST_F(HttpAuthApiTest, ARefusedKeyOrWhatIsNotAuthsTakesNoNewWorkUntilAnAnswerIsRight) {
    const std::vector<std::pair<unsigned, std::string>> wrong{
        {401, R"({"message":"Invalid API key"})"},
        {403, R"({"code":403,"error_code":"bad_jwt","msg":"x"})"},
        {403, "<html>Blocked</html>"},
        {404, "<html>Not Found</html>"},
        {200, "<html>Sign in</html>"}};
    for (const auto& [status, body] : wrong) {
        says(status, body);
        EXPECT_FALSE(run(api().get(ann)));
        EXPECT_EQ(api().room(8), 0) << status << body;
        EXPECT_EQ(waits(), "wrong_answer");
        EXPECT_EQ(channel().circuit(), http::Breaker::State::closed);
        says(200, user(ann));
        EXPECT_TRUE(run(api().get(ann))) << "what is under way goes on";
        EXPECT_EQ(api().room(8), 8);
    }
    for (const char* body : {not_there, R"({"code":"validation_failed"})"}) {
        says(404, body);
        EXPECT_TRUE(run(api().update(ann, change())).error().sent);
        EXPECT_EQ(api().room(8), 8) << "Auth's own word on one user";
    }
}

TEST_F(HttpAuthApiTest, WritesThatFailWithoutACauseTakeNoNewWorkUntilOneWorks) {
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(api().room(8), 8);
        says(500, R"({"code":500,"error_code":"unexpected_failure","msg":"x"})");
        EXPECT_EQ(run(api().create(ann, change())).error().fault, AuthFault::opaque);
        says(404, not_there);
        EXPECT_TRUE(run(api().get(ann)));
    }
    EXPECT_EQ(channel().circuit(), http::Breaker::State::closed);
    EXPECT_EQ(api().room(8), 0);
    EXPECT_EQ(waits(), "writes_fail");
    says(200, user(ann));
    EXPECT_TRUE(run(api().get(ann)));
    EXPECT_EQ(api().room(8), 0) << "reads work all the time";
    EXPECT_TRUE(run(api().update(ann, change())));
    EXPECT_EQ(api().room(8), 8);
    EXPECT_EQ(waits(), "");
}

TEST_F(HttpAuthApiTest, AStormOfTakenValuesDoesNotOpenTheCircuit) {
    config.breaker.open_min = 1h;
    config.breaker.open_max = 1h;
    says(500, R"({"code":"23505","message":"canary","detail":"canary","hint":""})");
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(run(api().update(ann, change())).error().fault, AuthFault::taken);
    }
    EXPECT_EQ(channel().circuit(), http::Breaker::State::closed);
    says(500, R"({"code":500,"error_code":"unexpected_failure","msg":"x"})");
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(run(api().update(ann, change())).error().fault, AuthFault::opaque);
    }
    EXPECT_EQ(channel().circuit(), http::Breaker::State::open);
    EXPECT_EQ(api().room(8), 0);
    EXPECT_EQ(waits(), "circuit_open");
    const AuthError refused = run(api().get(ann)).error();
    EXPECT_FALSE(refused.sent);
    EXPECT_FALSE(refused.outcome_unknown());
}

TEST_F(HttpAuthApiTest, AFailureOfWhatWritesNothingIsAnOutage) {
    says(500, R"({"code":500,"error_code":"unexpected_failure","msg":"x"})");
    EXPECT_EQ(run(api().create(ann, change())).error().fault, AuthFault::opaque);
    EXPECT_EQ(run(api().get(ann)).error().fault, AuthFault::away);
    EXPECT_EQ(run(api().find("a@example.com")).error().fault, AuthFault::away);
}

// As is the word of an Auth to whose user other tables refer.
TEST_F(HttpAuthApiTest, ARemovalThatFailsMayBeTheUsersFault) {
    says(500, R"({"code":500,"error_code":"unexpected_failure","msg":"x"})");
    EXPECT_EQ(run(api().remove(ann)).error().fault, AuthFault::opaque);
    says(500, R"({"code":"23503","message":"canary","detail":"canary","hint":""})");
    EXPECT_EQ(run(api().remove(ann)).error().fault, AuthFault::constrained);
}

TEST_F(HttpAuthApiTest, NoAnswerLeavesOpenWhatHappened) {
    config.url = "http://127.0.0.1:1";
    const AuthError error = run(api().create(ann, change())).error();
    EXPECT_EQ(error.fault, AuthFault::away);
    EXPECT_EQ(error.status, 0U);
    EXPECT_TRUE(error.outcome_unknown());
}

}  // namespace
}  // namespace rollcall::supabase
