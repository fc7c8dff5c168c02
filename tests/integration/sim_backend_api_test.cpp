// rollcall's own client against the simulated Clerk, over HTTP: what passes over all users rely on.
#include "clerk/http_backend_api.hpp"
#include "http/loopback_test.hpp"
#include "sim/clerk_simulator.hpp"

#include <gmock/gmock.h>
#include <algorithm>
#include <set>

namespace rollcall::sim {
namespace {

using namespace std::chrono_literals;
using clerk::UserOrder;
using clerk::UserQuery;
using testing::HasSubstr;

class SimBackendApiTest : public http::LoopbackTest {
protected:
    SimBackendApiTest() {
        sim_config_.users = 120;
        sim_config_.announce_users = false;
        sim_config_.seed = 5;
        sim_.emplace(io_.get_executor(), sim_config_, http::make_server_metrics(registry_));
        EXPECT_TRUE(sim_->start());
        config_.url = sim_->url();
        config_.secret_key = Secret(sim_config_.secret_key);
        config_.rate_limit = 100'000;
        config_.timeout = 500ms;
        open();
    }
    ~SimBackendApiTest() override { run(sim_->drain(1s)); }

    void open() {
        api_.reset();
        channel_.emplace(io_.get_executor(), config_, registry_);
        api_.emplace(*channel_, clerk::for_a_pass);
    }
    void fault(std::string_view assignment) {
        ASSERT_TRUE(sim_->instance().faults.merge_text(assignment));
    }
    Result<std::vector<clerk::User>> list(const UserQuery& query) {
        return run(api_->list_users(query));
    }
    // Every id of the users that `query` lets through, by its cursor.
    std::vector<std::string> pass(UserQuery query) {
        std::vector<std::string> ids;
        for (;;) {
            const auto page = list(query);
            EXPECT_TRUE(page) << page.error().message;
            if (!page) return ids;
            for (const auto& user : *page) ids.push_back(user.id);
            if (page->size() < query.limit) return ids;
            query.starting_after = page->back().id;
        }
    }

    ClerkSimulatorConfig sim_config_;
    clerk::BackendApiConfig config_;
    std::optional<ClerkSimulator> sim_;
    std::optional<clerk::ApiChannel> channel_;
    std::optional<clerk::HttpBackendApi> api_;
    log::Capture log_;
};

TEST_F(SimBackendApiTest, ACursorMeetsEveryUserOnce) {
    for (const auto order : {UserOrder::created, UserOrder::created_newest}) {
        for (const std::size_t limit : {7U, 60U, 500U}) {
            const auto ids = pass({.order = order, .limit = limit});
            EXPECT_EQ(ids.size(), 120U);
            EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 120U);
        }
    }
    EXPECT_EQ(run(api_->count_users({})), 120);
    EXPECT_EQ(api_->requests(), 2 * (18 + 3 + 1) + 1);
}

TEST_F(SimBackendApiTest, RangesOfBirthArePartsOfTheWhole) {
    const auto all = list({});
    ASSERT_TRUE(all);
    const std::int64_t middle = all->at(60).created_at_ms;
    const auto early = pass({.filter = {.created_before_ms = middle}, .limit = 11});
    const auto late = pass({.filter = {.created_after_ms = middle - 1}, .limit = 11});
    EXPECT_EQ(early.size() + late.size(), 120U);
    EXPECT_EQ(late.front(), all->at(60).id);
    EXPECT_EQ(run(api_->count_users({.created_before_ms = middle})),
              static_cast<std::int64_t>(early.size()));
}

TEST_F(SimBackendApiTest, ByUpdateAndByIds) {
    const auto newest = list({.order = UserOrder::updated_newest, .limit = 50});
    ASSERT_TRUE(newest);
    EXPECT_TRUE(std::ranges::is_sorted(*newest, std::greater{}, &clerk::User::updated_at_ms));
    const auto next = list({.order = UserOrder::updated_newest, .limit = 50, .offset = 50});
    ASSERT_TRUE(next);
    EXPECT_EQ(next->size(), 50U);
    EXPECT_GE(newest->back().updated_at_ms, next->front().updated_at_ms);

    std::vector<std::string> ids{"user_nobody", "-" + newest->at(1).id};
    for (std::size_t i = 0; i < 98; ++i) {
        ids.push_back(i < 50 ? newest->at(i).id : next->at(i - 50).id);
    }
    const auto found = list({.filter = {.ids = ids}});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->size(), 98U);
}

TEST_F(SimBackendApiTest, AKeyNamesItsInstance) {
    const auto instance = run(api_->instance());
    ASSERT_TRUE(instance);
    EXPECT_EQ(instance->id, sim_->instance().id);
    EXPECT_EQ(instance->environment_type, "development");
    config_.secret_key = Secret("sk_test_of_another_instance");
    open();
    const auto refused = run(api_->instance());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unauthenticated);
    EXPECT_THAT(refused.error().message, HasSubstr("clerk_key_invalid"));
}

TEST_F(SimBackendApiTest, PassingFaultsDoNotShow) {
    fault("api_5xx=2");
    EXPECT_EQ(pass({}).size(), 120U);
    fault("api_hang=1");
    EXPECT_EQ(pass({}).size(), 120U);
    fault("api_429=1");
    EXPECT_EQ(pass({}).size(), 120U);
    EXPECT_THAT(std::string(log_.text()), HasSubstr("clerk_says_wait"));
    EXPECT_EQ(api_->requests(), 7);
    EXPECT_EQ(sim_->instance().faults.struck().size(), 3U);
}

TEST_F(SimBackendApiTest, PagesThatAreNotWholeAreErrors) {
    for (const char* name : {"api_not_json=1", "api_truncated_body=1"}) {
        fault(name);
        const auto page = list({});
        ASSERT_FALSE(page) << name;
        EXPECT_EQ(page.error().code, ErrorCode::unavailable);
        EXPECT_THAT(page.error().message, HasSubstr("not a list of users"));
    }
    fault("api_not_json=1");
    EXPECT_FALSE(run(api_->count_users({})));
    fault("api_truncated_body=1");
    EXPECT_FALSE(run(api_->instance()));
}

TEST_F(SimBackendApiTest, ACursorOfAUserWhoIsGoneGoesOnOrIsAConflict) {
    const auto first = list({.limit = 10});
    ASSERT_TRUE(first);
    sim_->instance().remove(first->back().id, {});
    const UserQuery next{.starting_after = first->back().id};
    const auto rest = list(next);
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->size(), 110U);
    fault("deleted_cursor=refuse");
    const auto refused = list(next);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::conflict);
}

TEST_F(SimBackendApiTest, OddUsersOfEveryShapeAreRead) {
    sim_->instance().faults.clear();
    std::size_t with_email = 0;
    for (const auto& user : *list({})) with_email += user.email ? 1 : 0;
    EXPECT_GT(with_email, 60U);
    EXPECT_LT(with_email, 120U);
    const auto user = run(api_->get_user(pass({}).front()));
    ASSERT_TRUE(user);
    EXPECT_TRUE(*user);
}

}  // namespace
}  // namespace rollcall::sim
