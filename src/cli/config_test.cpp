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

TEST(Config, TheAuditLogIsKeptForAYearAtLeast) {
    EXPECT_EQ(config_of({})->audit_kept, std::chrono::days(400));
    EXPECT_EQ(config_of({{"audit.keep", "3000d"}})->audit_kept, std::chrono::days(3000));
    const auto refused = config_of({{"audit.keep", "364d"}});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("audit.keep"));
}

TEST(Config, TheMirrorIsOnWithAUrlAndAKey) {
    const std::string key = "sb_secret_canary";
    const auto off = config_of({});
    ASSERT_TRUE(off) << off.error().message;
    EXPECT_FALSE(off->mirrors());
    // An application's environment often has the URL alone.
    EXPECT_FALSE(config_of({{"supabase.url", "https://a.supabase.co"}})->mirrors());
    EXPECT_FALSE(config_of({{"supabase.service_role_key", key}})->mirrors());
    for (const char* url : {"https://a.supabase.co", "https://a.supabase.co/",
                            "https://a.supabase.co/auth/v1", "https://a.supabase.co/auth/v1/"}) {
        const auto on = config_of({{"supabase.url", url}, {"supabase.service_role_key", key}});
        ASSERT_TRUE(on) << on.error().message;
        EXPECT_TRUE(on->mirrors());
        EXPECT_EQ(on->supabase.url, "https://a.supabase.co");
        EXPECT_EQ(on->supabase.path, supabase::AuthPath::automatic);
    }
    EXPECT_EQ(config_of({{"supabase.auth_path", "none"}})->supabase.path, supabase::AuthPath::bare);
}

TEST(Config, WhatCannotWorkWithSupabaseIsRefused) {
    for (const auto& [setting, value] : std::multimap<std::string, std::string>{
             {"supabase.url", "http://a.supabase.co"},
             {"supabase.url", "https://a.supabase.co?apikey=canary"},
             {"supabase.url", "https://a.supabase.co/#canary"},
             {"supabase.url", "https://a.supabase.co/rest/v1"},
             {"supabase.url", "https://a.supabase.co/rest/v1/"},
             {"clerk.api_url", "https://api.clerk.com?canary=1"},
             {"supabase.service_role_key", "sb_publishable_canary"},
             {"supabase.auth_path", "/auth/v2"},
             {"supabase.timeout", "11s"},
             {"supabase.concurrency", "65"},
             {"supabase.compare_interval", "0s"}}) {
        const auto refused = config_of({{setting, value}});
        ASSERT_FALSE(refused) << setting;
        EXPECT_THAT(refused.error().message, HasSubstr(setting));
        EXPECT_THAT(refused.error().message, testing::Not(HasSubstr("canary")));
    }
    const auto nameless = config_of({{"supabase.url", "https://a.supabase.co"},
                                     {"supabase.service_role_key", "sb_secret_a"},
                                     {"users.email_column", ""}});
    ASSERT_FALSE(nameless);
    EXPECT_THAT(nameless.error().message, HasSubstr("users.email_column"));
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

TEST(Config, TheDoorIsLimitedUnlessToldOtherwise) {
    const auto config = config_of({});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->public_listener.connections_per_address_max, 1'024U);
    EXPECT_EQ(config->admin_listener.connections_per_address_max, 0U);
    EXPECT_DOUBLE_EQ(config->guard.failures_per_minute, 60);
    EXPECT_DOUBLE_EQ(config->guard.requests_per_second, 1'000);
    EXPECT_EQ(config->webhooks.deliveries_per_second, 0);
    EXPECT_TRUE(config->public_listener.trusted_proxies.empty());
    EXPECT_FALSE(config_of({{"serve.requests_per_second", "-1"}}));
}

TEST(Config, NotEverybodyIsATrustedProxy) {
    const auto config = config_of({{"gate.trusted_proxies", "10.0.0.0/8 fd00::/8"}});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_TRUE(config->public_listener.trusted_proxies.contains("10.1.2.3"));
    EXPECT_FALSE(config->public_listener.trusted_proxies.contains("192.0.2.1"));
    EXPECT_TRUE(config->admin_listener.trusted_proxies.empty());
    for (const char* all : {"all", "*", "0.0.0.0/0", "::/0", "10.0.0.1 0.0.0.0/0"}) {
        const auto refused = config_of({{"gate.trusted_proxies", all}});
        ASSERT_FALSE(refused) << all;
        EXPECT_EQ(refused.error().code, ErrorCode::bad_configuration);
        EXPECT_THAT(refused.error().message, HasSubstr("gate.trusted_proxies"));
    }
}

TEST(Config, UsersAreReadAgainOnlyWhereClerkIsAsked) {
    EXPECT_TRUE(config_of({{"serve.mode", "hybrid"}})->webhooks.refresh_users);
    EXPECT_FALSE(config_of({{"serve.mode", "webhook"}})->webhooks.refresh_users);
}

TEST(Config, TheSpoolIsBoundedAndSomewhere) {
    const auto off = config_of({});
    ASSERT_TRUE(off) << off.error().message;
    EXPECT_TRUE(off->spool.dir.empty());
    const auto on = config_of({{"spool.dir", "/var/lib/rollcall/spool"}});
    ASSERT_TRUE(on) << on.error().message;
    EXPECT_EQ(on->spool.dir, "/var/lib/rollcall/spool");
    EXPECT_EQ(on->spool.bytes_max, 256U * 1024 * 1024);
    EXPECT_EQ(on->spool.segment_max, 8U * 1024 * 1024);
    for (const auto& [key, value, says] : std::vector<std::array<const char*, 3>>{
             {"spool.dir", "spool", "absolute"},
             {"spool.bytes_max", "1KiB", "at least 1MiB"},
             {"spool.segment_max", "200MiB", "half of spool.bytes_max"}}) {
        const auto wrong = config_of({{key, value}});
        ASSERT_FALSE(wrong) << key;
        EXPECT_EQ(wrong.error().code, ErrorCode::bad_configuration);
        EXPECT_THAT(wrong.error().message, HasSubstr(says));
    }
    const auto large =
        config_of({{"spool.dir", "/var/lib/rollcall/spool"}, {"webhooks.body_max", "2MiB"}});
    ASSERT_FALSE(large);
    EXPECT_THAT(large.error().message, HasSubstr("webhooks.body_max"));
}

}  // namespace
}  // namespace rollcall::cli
