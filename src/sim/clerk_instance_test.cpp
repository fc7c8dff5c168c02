#include "sim/clerk_instance.hpp"

#include "sim/clerk_state.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>

namespace rollcall::sim {
namespace {

using namespace std::chrono_literals;

class ClerkInstanceTest : public testing::Test {
protected:
    ClerkInstanceTest() { clerk_.endpoint.url = "http://127.0.0.1:1/"; }

    [[nodiscard]] json::value last_event() const {
        return json::parse(clerk_.messages.all().rbegin()->second.body);
    }

    ManualClock clock_{SystemTime(1'700'000'000'000ms)};
    ClerkInstance clerk_{1, {}, 1000, 1, {}, clock_};
};

TEST_F(ClerkInstanceTest, PopulatesWithEveryShapeInTurn) {
    const auto ids = clerk_.populate(18, nullptr, true);
    EXPECT_EQ(ids.size(), 18U);
    EXPECT_EQ(clerk_.users.size(), 18U);
    EXPECT_EQ(clerk_.messages.all().size(), 18U);
    int without_primary = 0;
    std::int64_t before = 0;
    clerk_.users.for_each([&](const ClerkUser& user) {
        without_primary += user.primary_email_address_id ? 0 : 1;
        EXPECT_GT(user.created_at, before) << "one after the other";
        before = user.created_at;
    });
    EXPECT_EQ(without_primary, 6) << "unverified, phone only and username only, twice";
    EXPECT_EQ(before, 1'700'000'000'000);
}

TEST_F(ClerkInstanceTest, RepeatsItselfForASeed) {
    ClerkInstance other(1, {}, 1000, 1, {}, clock_);
    ASSERT_TRUE(other.faults.merge({{"drop", 0.5}}));
    ASSERT_TRUE(clerk_.faults.merge({{"drop", 0.5}}));
    other.endpoint.url = clerk_.endpoint.url;
    EXPECT_EQ(other.id, clerk_.id);
    clerk_.populate(50, nullptr, true);
    other.populate(50, nullptr, true);
    ASSERT_EQ(clerk_.messages.all().size(), other.messages.all().size());
    for (const auto& [serial, message] : clerk_.messages.all()) {
        const auto& twin = *other.messages.find(serial);
        EXPECT_EQ(message.id, twin.id);
        EXPECT_EQ(message.body, twin.body);
        EXPECT_EQ(message.status(), twin.status());
    }
}

TEST_F(ClerkInstanceTest, MakesTheNextPersonWhenAnAddressIsTaken) {
    const auto shape = Shape::typical;
    const auto first = *clerk_.users.find(clerk_.populate(1, &shape, false).front());
    clerk_.people_made = 0;
    EXPECT_EQ(clerk_.populate(2, &shape, false).size(), 2U);
    EXPECT_EQ(clerk_.users.size(), 3U);
}

TEST_F(ClerkInstanceTest, KeepsEventsAsMissingWithoutAnEndpoint) {
    clerk_.endpoint.enabled = false;
    clerk_.populate(1, nullptr, true);
    EXPECT_EQ(clerk_.messages.count(MessageStatus::missing), 1U);
    clerk_.endpoint.enabled = true;
    ASSERT_TRUE(clerk_.faults.merge({{"drop", 1}}));
    clerk_.populate(2, nullptr, true);
    EXPECT_EQ(clerk_.messages.count(MessageStatus::missing), 2U);
    EXPECT_EQ(clerk_.messages.count(MessageStatus::pending), 1U);
}

TEST_F(ClerkInstanceTest, WritesTheEnvelopeInSecondsWhenAsked) {
    ASSERT_TRUE(clerk_.faults.merge({{"seconds_timestamp", 1}}));
    clerk_.publish({"session.created", "sess_1", json::object{{"id", "sess_1"}}, {}});
    EXPECT_EQ(last_event().at("timestamp").as_int64(), 1'700'000'000);
    clerk_.publish({"session.created", "sess_1", json::object{{"id", "sess_1"}}, {}});
    EXPECT_EQ(last_event().at("timestamp").as_int64(), 1'700'000'000'000);
    EXPECT_EQ(last_event().at("data").at("id").as_string(), "sess_1");
}

TEST_F(ClerkInstanceTest, DeliversDuplicatesAndLateOnesWhenAsked) {
    ASSERT_TRUE(clerk_.faults.merge({{"duplicate", 1}, {"reorder", 1}}));
    clerk_.publish_raw("a", "", "{}");
    clerk_.publish_raw("b", "", "{}");
    const auto first = clerk_.messages.take_due(clock_.steady());
    ASSERT_TRUE(first);
    EXPECT_EQ(clerk_.messages.find(first->message)->type, "b") << "a is held back";
    clerk_.messages.finish(*first, {}, clock_.steady());
    const auto second = clerk_.messages.take_due(clock_.steady());
    const auto third = clerk_.messages.take_due(clock_.steady());
    ASSERT_TRUE(second && third);
    EXPECT_EQ(second->message, third->message);
    EXPECT_EQ(third->trigger, Trigger::duplicate);
}

class ClerkStateTest : public ClerkInstanceTest {
protected:
    ~ClerkStateTest() override { std::filesystem::remove(path_); }

    std::string path_ = testing::TempDir() + "rollcall-sim-state-" + std::to_string(getpid());
};

TEST_F(ClerkStateTest, BringsBackTheSameUsersAndNoIdTwice) {
    clerk_.populate(27, nullptr, false);
    auto user = *clerk_.users.list({}).front();
    user.banned = true;
    user.private_metadata = nullptr;
    user.legal_accepted_at = 5;
    clerk_.save(user, {});
    ASSERT_TRUE(save_state(path_, clerk_));
    const auto loaded = load_state(path_);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    ASSERT_TRUE(loaded->has_value());
    const auto& state = **loaded;
    EXPECT_EQ(state.seed, 1U);
    EXPECT_EQ(state.people_made, clerk_.people_made);
    ASSERT_EQ(state.users.size(), 27U);
    std::size_t at = 0;
    clerk_.users.for_each([&](const ClerkUser& kept) {
        EXPECT_EQ(json::serialize(to_json(state.users.at(at++))), json::serialize(to_json(kept)));
    });
    EXPECT_GT(IdMaker(state.seed, state.ids_made).make("user_"), clerk_.ids.make("user_"));
}

TEST_F(ClerkStateTest, IsAbsentBeforeTheFirstSave) {
    const auto loaded = load_state(path_);
    ASSERT_TRUE(loaded.has_value());
    EXPECT_FALSE(loaded->has_value());
}

TEST_F(ClerkStateTest, IsRefusedWhenItIsNotOne) {
    for (const auto* text :
         {"", "{", "[]", "{}", R"({"seed":1,"people_made":0,"ids_made":{},"users":[{}]})",
          R"({"seed":1,"people_made":0,"ids_made":{"x":-1},"users":[]})"}) {
        std::ofstream(path_) << text;
        const auto loaded = load_state(path_);
        ASSERT_FALSE(loaded.has_value()) << text;
        EXPECT_EQ(loaded.error().code, ErrorCode::bad_configuration);
        EXPECT_NE(loaded.error().message.find(path_), std::string::npos);
    }
    EXPECT_FALSE(save_state("/nonexistent/folder/state", clerk_));
}

}  // namespace
}  // namespace rollcall::sim
