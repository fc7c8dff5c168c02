#include "cli/config.hpp"

#include <gmock/gmock.h>

namespace rollcall::cli {
namespace {

using testing::HasSubstr;

Result<Config> config_of(std::map<std::string, std::string> values) {
    const auto settings = Settings::load({.flags = std::move(values)});
    if (!settings) return std::unexpected(settings.error());
    return make_config(*settings, {});
}

TEST(Config, ClerksQuotaIsOfTheKeyAndAShareOfIt) {
    const auto config = config_of({{"clerk.secret_key", "sk_live_a"}});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->clerk.rate_limit, 0);
    EXPECT_DOUBLE_EQ(config->clerk.rate_share, 0.5);
    const auto other = config_of({{"clerk.rate_limit", "40"}, {"sync.rate_share", "1"}});
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_EQ(other->clerk.rate_limit, 40);
    EXPECT_DOUBLE_EQ(other->clerk.rate_share, 1);
    for (const char* share : {"0", "1.01", "-1", "nan"}) {
        const auto refused = config_of({{"sync.rate_share", share}});
        ASSERT_FALSE(refused) << share;
        EXPECT_THAT(refused.error().message, HasSubstr("sync.rate_share"));
    }
    EXPECT_FALSE(config_of({{"clerk.rate_limit", "-1"}}));
}

TEST(Config, PollingFollowsTheContractUnlessToldOtherwise) {
    using namespace std::chrono_literals;
    const auto config = config_of({});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->sync.schedule.interval, 5min);
    EXPECT_EQ(config->sync.schedule.full_interval, 24h);
    EXPECT_EQ(config->sync.workers, 8);
    EXPECT_EQ(config->sync.guard.users, 10);
    EXPECT_DOUBLE_EQ(config->sync.guard.ratio, 0.01);
    for (const auto& [key, value] :
         std::map<std::string, std::string>{{"sync.interval", "0s"},
                                            {"sync.full_interval", "1m"},
                                            {"sync.workers", "0"},
                                            {"sync.delete_guard_users", "-1"},
                                            {"sync.delete_guard_ratio", "1.5"}}) {
        const auto refused = config_of({{key, value}});
        ASSERT_FALSE(refused) << key;
        EXPECT_THAT(refused.error().message, HasSubstr(key));
    }
}

TEST(Config, AlertsGoToASafePlaceOnly) {
    for (const char* url : {"http://hooks.example.com/T0/secret-token", "ftp://127.0.0.1/",
                            "hooks.example.com/secret-token"}) {
        const auto refused = config_of({{"alerts.webhook_url", url}});
        ASSERT_FALSE(refused) << url;
        EXPECT_THAT(refused.error().message, HasSubstr("alerts.webhook_url"));
        EXPECT_THAT(refused.error().message, testing::Not(HasSubstr("secret-token")));
    }
    EXPECT_TRUE(config_of({{"alerts.webhook_url", "https://hooks.example.com/T0/x"}}));
    EXPECT_TRUE(config_of({{"alerts.webhook_url", "http://127.0.0.1:9/sim/alerts"}}));
}

TEST(Config, AlertsFollowTheModeAndTheSchedule) {
    using namespace std::chrono_literals;
    auto config = config_of({{"sync.interval", "1h"}});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->alerts.evaluator.conditions.sync_stale, 3h);
    EXPECT_TRUE(config->alerts.evaluator.conditions.polls);
    config = config_of({{"alerts.sync_stale", "0s"}, {"serve.mode", "webhook"}});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->alerts.evaluator.conditions.sync_stale, 0ms);
    EXPECT_FALSE(config->alerts.evaluator.conditions.polls);
}

TEST(Config, WhoHasToAskClerkNeedsItsKey) {
    const auto settings = Settings::load({.flags = {{"database.url", "postgresql://"}}});
    ASSERT_TRUE(settings);
    EXPECT_TRUE(make_config(*settings, {.database = true}));
    const auto refused = make_config(*settings, {.database = true, .clerk = true});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::bad_configuration);
    EXPECT_THAT(refused.error().message, HasSubstr("CLERK_SECRET_KEY"));
}

TEST(Config, UsersAreReadAgainOnlyWhereClerkIsAsked) {
    EXPECT_TRUE(config_of({{"serve.mode", "hybrid"}})->webhooks.refresh_users);
    EXPECT_FALSE(config_of({{"serve.mode", "webhook"}})->webhooks.refresh_users);
}

}  // namespace
}  // namespace rollcall::cli
