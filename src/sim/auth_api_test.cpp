#include "sim/auth_api.hpp"

#include "http/hang_up.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

namespace rollcall::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view first_id = "0190a5c2-0000-5000-8000-000000000001";
constexpr std::string_view unknown_id = "0190a5c2-0000-5000-8000-00000000ffff";

struct Answer {
    unsigned status = 0;
    json::value body;
    http::Fields headers;

    [[nodiscard]] const json::value& at(std::string_view pointer) const {
        static const json::value nothing;
        boost::system::error_code error;
        const auto* found = body.find_pointer(pointer, error);
        return found == nullptr ? nothing : *found;
    }
    [[nodiscard]] std::string text(std::string_view pointer) const {
        const auto& value = at(pointer);
        return value.is_string() ? std::string(value.as_string()) : json::serialize(value);
    }
    // "422 email_exists", from the header that both forms have.
    [[nodiscard]] std::string refusal() const {
        return std::to_string(status) + " " +
               std::string(headers.get("x-sb-error-code").value_or("-"));
    }
};

class AuthApiTest : public testing::Test {
protected:
    http::Request request(const std::string& method, const std::string& target,
                          const json::value& body = {}) const {
        http::Request made;
        made.method = method;
        const std::string whole = prefix_ + target;
        const auto mark = std::min(whole.find('?'), whole.size());
        made.path = whole.substr(0, mark);
        if (mark < whole.size()) made.query = whole.substr(mark + 1);
        made.headers.set("apikey", auth_.keys.all().front());
        made.headers.set("authorization", "Bearer " + auth_.keys.all().front());
        if (versioned_) made.headers.set("x-supabase-api-version", "2024-01-01");
        made.request_id = "r-1";
        if (!body.is_null()) made.body = json::serialize(body);
        return made;
    }

    Answer answer(const http::Request& asked) {
        const auto response = api_.answer(asked);
        boost::system::error_code error;
        return {response.status, json::parse(response.body, error), response.headers};
    }
    Answer call(const std::string& method, const std::string& target,
                const json::value& body = {}) {
        return answer(request(method, target, body));
    }
    Answer create(const json::object& body) { return call("POST", "/admin/users", body); }
    Answer get(std::string_view id) { return call("GET", one(id)); }
    Answer put(std::string_view id, const json::object& body) { return call("PUT", one(id), body); }
    static std::string one(std::string_view id) { return "/admin/users/" + std::string(id); }

    std::string created(const json::object& body) {
        const auto done = create(body);
        EXPECT_EQ(done.status, 200U) << json::serialize(done.body);
        return done.text("/id");
    }

    void set(const json::object& faults) { ASSERT_TRUE(faults_.merge(faults)); }

    ManualClock clock_{SystemTime(milliseconds(1'700'000'000'000))};
    Faults faults_{1};
    AuthInstance auth_{AuthKeys(made_up_auth_keys(), false), 7, faults_, clock_};
    AuthApi api_{auth_};
    std::string prefix_ = "/auth/v1";
    bool versioned_ = false;
};

TEST_F(AuthApiTest, CreatesWithAnIdOfTheCallersChoice) {
    const auto done = create({{"id", first_id},
                              {"email", "Ada@Example.com"},
                              {"email_confirm", true},
                              {"app_metadata", {{"clerk_id", "user_1"}}},
                              {"user_metadata", {{"full_name", "Ada"}}}});
    EXPECT_EQ(done.status, 200U);
    EXPECT_EQ(done.text("/id"), first_id);
    EXPECT_EQ(done.text("/email"), "ada@example.com");
    EXPECT_EQ(done.text("/phone"), "");
    EXPECT_EQ(done.text("/aud"), "authenticated");
    EXPECT_EQ(
        done.at("/app_metadata"),
        json::parse(R"({"provider": "email", "providers": ["email"], "clerk_id": "user_1"})"));
    // Confirming leaves a mark where the user can see it.
    EXPECT_EQ(done.at("/user_metadata"),
              json::parse(R"({"full_name": "Ada", "email_verified": true})"));
    EXPECT_EQ(done.text("/email_confirmed_at"), "2023-11-14T22:13:20Z");
    EXPECT_EQ(done.text("/identities/0/provider"), "email");
    EXPECT_TRUE(done.at("/banned_until").is_null());
    EXPECT_EQ(get(first_id).body, done.body);
}

TEST_F(AuthApiTest, RefusesToCreateAsTheRealOneDoes) {
    created({{"id", first_id}, {"email", "ada@example.com"}, {"phone", "+1 555 0100"}});
    const std::vector<std::pair<json::object, std::string>> cases{
        {{}, "400 validation_failed"},
        {{{"email", ""}}, "400 validation_failed"},
        {{{"email", "nonsense"}}, "400 validation_failed"},
        {{{"email", std::string(250, 'a') + "@b.com"}}, "400 validation_failed"},
        {{{"phone", "abc"}}, "400 validation_failed"},
        {{{"email", "b@example.com"}, {"id", "user_2abc"}}, "400 validation_failed"},
        {{{"email", "b@example.com"}, {"id", "00000000-0000-0000-0000-000000000000"}},
         "400 validation_failed"},
        {{{"email", "b@example.com"}, {"password", "secret"}, {"password_hash", "x"}},
         "400 validation_failed"},
        {{{"email", "b@example.com"}, {"ban_duration", "for ever"}}, "400 validation_failed"},
        {{{"email", 1}}, "400 bad_json"},
        {{{"email", "ADA@example.com"}}, "422 email_exists"},
        {{{"phone", "15550100"}}, "422 phone_exists"},
        // Nobody looks for the id first, and the index of addresses knows no audience.
        {{{"email", "b@example.com"}, {"id", first_id}}, "500 unexpected_failure"},
        {{{"email", "ada@example.com"}, {"aud", "elsewhere"}}, "500 unexpected_failure"},
    };
    for (const auto& [body, refusal] : cases) {
        EXPECT_EQ(create(body).refusal(), refusal) << json::serialize(body);
    }
    EXPECT_EQ(auth_.users.size(), 1U);
}

TEST_F(AuthApiTest, TheFormOfAnErrorDependsOnTheVersionThatIsAskedFor) {
    created({{"id", first_id}, {"email", "ada@example.com"}});
    const json::object taken{{"email", "ada@example.com"}};
    const json::object known_id{{"email", "b@example.com"}, {"id", first_id}};
    const auto old_form = create(taken);
    EXPECT_EQ(old_form.at("/code"), 422);
    EXPECT_EQ(old_form.text("/error_code"), "email_exists");
    EXPECT_FALSE(old_form.headers.get("x-supabase-api-version"));
    const auto cause = create(known_id);
    EXPECT_EQ(cause.status, 500U);
    EXPECT_EQ(cause.text("/code"), "23505");
    EXPECT_EQ(cause.text("/detail"), "Key (id)=(" + std::string(first_id) + ") already exists.");

    versioned_ = true;
    const auto new_form = create(taken);
    EXPECT_EQ(new_form.text("/code"), "email_exists");
    EXPECT_EQ(new_form.headers.get("x-supabase-api-version"), "2024-01-01");
    EXPECT_EQ(create(known_id).body, json::parse(R"({"code": "unexpected_failure",
                              "message": "Database error creating new user"})"));
    versioned_ = false;
    auto odd = request("POST", "/admin/users", taken);
    odd.headers.set("x-supabase-api-version", "2023-12-31");
    EXPECT_EQ(answer(odd).at("/code"), 422);
}

TEST_F(AuthApiTest, AnIdThatIsNoUuidIsNotAnAbsentUser) {
    EXPECT_EQ(get(unknown_id).refusal(), "404 user_not_found");
    EXPECT_EQ(get("user_2abc").refusal(), "404 validation_failed");
    EXPECT_EQ(put(unknown_id, {}).refusal(), "404 user_not_found");
    EXPECT_EQ(put("user_2abc", {}).refusal(), "404 validation_failed");
    EXPECT_EQ(call("DELETE", one(unknown_id)).refusal(), "404 user_not_found");
}

TEST_F(AuthApiTest, UpdatesWhatIsSentAndMergesMetadata) {
    const auto id = created({{"email", "ada@example.com"},
                             {"app_metadata", {{"clerk_id", "user_1"}, {"plan", "pro"}}},
                             {"user_metadata", {{"full_name", "Ada"}}}});
    const auto done = put(id, {{"app_metadata", {{"plan", nullptr}, {"role", "admin"}}},
                               {"user_metadata", {{"full_name", nullptr}, {"name", "A"}}},
                               {"id", unknown_id},
                               {"aud", "elsewhere"}});
    EXPECT_EQ(done.status, 200U);
    EXPECT_EQ(done.at("/app_metadata"), json::parse(R"({"provider": "email", "providers": ["email"],
                              "clerk_id": "user_1", "role": "admin"})"));
    EXPECT_EQ(done.at("/user_metadata"), json::parse(R"({"name": "A"})"));
    EXPECT_EQ(done.text("/id"), id);
    EXPECT_EQ(done.text("/aud"), "authenticated");
    EXPECT_EQ(done.text("/email"), "ada@example.com");
    EXPECT_EQ(put(id, {{"password", "short"}}).refusal(), "422 weak_password");
}

TEST_F(AuthApiTest, ANewAddressIsVerifiedOnlyWhereThatIsSaid) {
    const auto id = created({{"email", "ada@example.com"}});
    const auto verified = [&] {
        return get(id).at("/identities/0/identity_data/email_verified") == true;
    };
    EXPECT_FALSE(verified());
    put(id, {{"email", "one@example.com"}, {"email_confirm", true}});
    EXPECT_TRUE(verified());
    put(id, {{"email", "two@example.com"}});
    EXPECT_FALSE(verified());
    EXPECT_EQ(get(id).text("/email"), "two@example.com");
    EXPECT_EQ(get(id).text("/identities/0/identity_data/email"), "two@example.com");
}

TEST_F(AuthApiTest, ATakenAddressIsAnUnexpectedFailureOfAnUpdate) {
    created({{"email", "ada@example.com"}});
    const auto id = created({{"email", "bob@example.com"}, {"user_metadata", {{"name", "Bob"}}}});
    const json::object change{{"email", "Ada@example.com"}, {"user_metadata", {{"name", "x"}}}};
    const auto refused = put(id, change);
    EXPECT_EQ(refused.refusal(), "500 unexpected_failure");
    EXPECT_EQ(refused.text("/code"), "23505");
    EXPECT_EQ(refused.text("/detail"), "Key (email)=(ada@example.com) already exists.");
    EXPECT_EQ(get(id).text("/user_metadata/name"), "Bob") << "all or nothing";
    set({{"auth_opaque", true}});
    const auto opaque = put(id, change);
    EXPECT_EQ(opaque.at("/code"), 500);
    EXPECT_EQ(opaque.text("/error_code"), "unexpected_failure");
    EXPECT_EQ(opaque.text("/error_id"), "r-1");
}

TEST_F(AuthApiTest, BeforeADatabaseThatTakesNoWriteReadsWork) {
    const auto id = created({{"email", "ada@example.com"}});
    set({{"auth_read_only", true}});
    EXPECT_EQ(put(id, {{"role", "authenticated"}}).refusal(), "500 unexpected_failure");
    EXPECT_EQ(call("DELETE", one(id), {}).refusal(), "500 unexpected_failure");
    EXPECT_EQ(get(id).text("/email"), "ada@example.com");
}

TEST_F(AuthApiTest, BansForATimeAndLiftsTheBan) {
    const auto id = created({{"email", "ada@example.com"}, {"ban_duration", "24h"}});
    EXPECT_EQ(get(id).text("/banned_until").substr(0, 19), "2023-11-15T22:13:20");
    put(id, {{"ban_duration", "876000h"}});
    EXPECT_EQ(get(id).text("/banned_until").substr(0, 4), "2123");
    put(id, {{"role", "authenticated"}});
    EXPECT_FALSE(get(id).at("/banned_until").is_null()) << "not said: stays";
    EXPECT_EQ(put(id, {{"ban_duration", "1 day"}}).refusal(), "400 validation_failed");
    put(id, {{"ban_duration", "none"}});
    EXPECT_TRUE(get(id).at("/banned_until").is_null());
}

TEST_F(AuthApiTest, DeletesForGoodOrOnlyMarks) {
    const auto gone = created({{"email", "ada@example.com"}});
    const auto done = call("DELETE", one(gone), {{"should_soft_delete", false}});
    EXPECT_EQ(done.status, 200U);
    EXPECT_EQ(done.body, json::object());
    EXPECT_EQ(get(gone).refusal(), "404 user_not_found");
    EXPECT_EQ(created({{"id", gone}, {"email", "ada@example.com"}}), gone);

    const auto marked = created({{"email", "bob@example.com"}, {"user_metadata", {{"a", 1}}}});
    EXPECT_EQ(call("DELETE", one(marked), {{"should_soft_delete", true}}).status, 200U);
    const auto left = get(marked);
    EXPECT_EQ(left.status, 200U);
    EXPECT_FALSE(left.at("/deleted_at").is_null());
    EXPECT_EQ(left.text("/email").find('@'), std::string::npos);
    EXPECT_EQ(left.at("/identities"), json::array());
    EXPECT_EQ(left.at("/user_metadata"), json::object());
    EXPECT_EQ(call("GET", "/admin/users").at("/users").as_array().size(), 2U);
    EXPECT_EQ(create({{"id", marked}, {"email", "new@example.com"}}).status, 500U);
    created({{"email", "bob@example.com"}});
}

TEST_F(AuthApiTest, ListsPagesWithTheHeadersOfTheRealOne) {
    for (int i = 0; i < 5; ++i) {
        created({{"email", std::to_string(i) + "@example.com"}});
        clock_.advance(milliseconds(1));
    }
    const auto page = call("GET", "/admin/users?page=2&per_page=2");
    EXPECT_EQ(page.text("/users/0/email"), "2@example.com");
    EXPECT_EQ(page.text("/users/1/email"), "1@example.com");
    EXPECT_EQ(page.text("/aud"), "authenticated");
    EXPECT_TRUE(page.at("/users/0/identities").is_null());
    EXPECT_EQ(page.headers.get("X-Total-Count"), "5");
    EXPECT_EQ(page.headers.get("Link"),
              "</admin/users?page=3&per_page=2>; rel=\"next\", "
              "</admin/users?page=3&per_page=2>; rel=\"last\"");
    const auto sorted =
        call("GET", "/admin/users?page=3&per_page=2&sort=created_at+asc&filter=e%25");
    EXPECT_EQ(sorted.text("/users/0/email"), "4@example.com");
    EXPECT_EQ(sorted.headers.get("Link"),
              "</admin/users?filter=e%25&page=3&per_page=2&sort=created_at+asc>; rel=\"last\"");
    const auto empty_values = call("GET", "/admin/users?page=&per_page=");
    EXPECT_EQ(empty_values.at("/users").as_array().size(), 5U);
    EXPECT_EQ(empty_values.headers.get("Link"), "</admin/users?page=1&per_page=>; rel=\"last\"");
    EXPECT_EQ(call("GET", "/admin/users?per_page=100000").at("/users").as_array().size(), 5U);
    EXPECT_EQ(call("GET", "/admin/users?filter=nobody").headers.get("Link"),
              "</admin/users?filter=nobody&page=0>; rel=\"last\"");
    for (const auto* query :
         {"page=x", "page=-1", "per_page=0", "sort=email", "sort=created_at+up"}) {
        EXPECT_EQ(call("GET", std::string("/admin/users?") + query).refusal(),
                  "400 validation_failed")
            << query;
    }
}

TEST_F(AuthApiTest, HostedAndBareHaveTheirPaths) {
    EXPECT_EQ(call("GET", "/admin/users/").status, 200U);
    EXPECT_EQ(call("GET", "/admin/nothing").status, 404U);
    EXPECT_EQ(call("PATCH", "/admin/users").status, 405U);
    auto unknown = request("GET", "/admin/users");
    unknown.headers.set("apikey", "another");
    EXPECT_EQ(answer(unknown).status, 401U);
    prefix_ = "";
    EXPECT_EQ(call("GET", "/admin/users").text("/message"), "no Route matched with those values");

    AuthInstance bare(AuthKeys(made_up_auth_keys(), true), 7, faults_, clock_);
    AuthApi bare_api(bare);
    EXPECT_EQ(bare_api.answer(request("GET", "/admin/users")).status, 200U);
    prefix_ = "/auth/v1";
    const auto not_there = bare_api.answer(request("GET", "/admin/users"));
    EXPECT_EQ(not_there.status, 404U);
    EXPECT_EQ(not_there.body, "404 page not found\n");
}

TEST_F(AuthApiTest, FaultsStandInPlaceOfTheAnswer) {
    const json::object body{{"email", "ada@example.com"}};
    set({{"auth_500", 1}});
    EXPECT_EQ(create(body).refusal(), "500 unexpected_failure");
    set({{"auth_429", 2}});
    const auto limited = create(body);
    EXPECT_EQ(limited.refusal(), "429 over_request_rate_limit");
    EXPECT_FALSE(limited.headers.get("Retry-After"));
    set({{"auth_retry_after_seconds", 3}});
    EXPECT_EQ(create(body).headers.get("Retry-After"), "3");
    set({{"auth_401", 1}});
    EXPECT_EQ(create(body).text("/message"), "Invalid API key");
    set({{"auth_not_json", 20}});
    std::set<unsigned> pages;
    for (int i = 0; i < 20; ++i) {
        const auto page = create(body);
        EXPECT_TRUE(page.headers.get("Content-Type")->starts_with("text/html"));
        pages.insert(page.status);
    }
    EXPECT_EQ(pages, (std::set<unsigned>{200, 502}));
    set({{"auth_drop_before", 1}});
    EXPECT_EQ(create(body).status, http::hang_up);
    EXPECT_EQ(auth_.users.size(), 0U) << "nothing was done";
    set({{"auth_drop", 1}});
    EXPECT_EQ(create(body).status, http::hang_up);
    EXPECT_EQ(auth_.users.size(), 1U) << "done, but not answered";
}

TEST_F(AuthApiTest, FaultsMakeItWait) {
    set({{"auth_slow", 1}, {"slow_seconds", 0.5}, {"auth_hang", 1}, {"hang_seconds", 9}});
    auto stranger = request("GET", "/admin/users");
    stranger.headers.set("apikey", "another");
    EXPECT_EQ(api_.wait_before(stranger).duration.count(), 0) << "not for strangers";
    const auto asked = request("GET", "/admin/users");
    const auto hang = api_.wait_before(asked);
    EXPECT_TRUE(hang.hang);
    EXPECT_EQ(hang.duration, milliseconds(9000));
    EXPECT_EQ(api_.give_up(asked).status, 504U);
    const auto slow = api_.wait_before(asked);
    EXPECT_FALSE(slow.hang);
    EXPECT_EQ(slow.duration, milliseconds(500));
    EXPECT_EQ(api_.wait_before(asked).duration.count(), 0);
}

TEST_F(AuthApiTest, APageCanLeaveAUserOut) {
    for (int i = 0; i < 4; ++i) created({{"email", std::to_string(i) + "@example.com"}});
    set({{"auth_skip_page", 1}});
    const auto short_page = call("GET", "/admin/users?page=1&per_page=2");
    EXPECT_EQ(short_page.at("/users").as_array().size(), 1U);
    EXPECT_EQ(short_page.headers.get("X-Total-Count"), "4");
    EXPECT_EQ(call("GET", "/admin/users?page=1&per_page=2").at("/users").as_array().size(), 2U);
}

TEST_F(AuthApiTest, CountsAllThatCame) {
    const auto id = created({{"email", "ada@example.com"}});
    auto traced = request("GET", one(id));
    traced.headers.set("traceparent", "00-1-2-01");
    answer(traced);
    set({{"auth_drop", 1}});
    put(id, {});
    auto stranger = request("DELETE", one(id));
    stranger.headers.set("apikey", "another");
    answer(stranger);
    using Operation = AuthOperation;
    const auto count = [&](Operation one) { return auth_.requests[static_cast<std::size_t>(one)]; };
    EXPECT_EQ(count(Operation::create), 1U);
    EXPECT_EQ(count(Operation::get), 1U);
    EXPECT_EQ(count(Operation::update), 1U);
    EXPECT_EQ(count(Operation::remove), 1U);
    EXPECT_EQ(auth_.answers, (std::map<unsigned, std::uint64_t>{{0, 1}, {200, 2}, {401, 1}}));
    EXPECT_EQ(auth_.records.at(1).traceparent, "00-1-2-01");
    EXPECT_EQ(auth_.records.at(1).user_id, id);
    auth_.reset();
    EXPECT_EQ(count(Operation::create), 0U);
    EXPECT_EQ(auth_.users.size(), 0U);
}

}  // namespace
}  // namespace rollcall::sim
