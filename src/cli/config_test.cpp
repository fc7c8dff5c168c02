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

}  // namespace
}  // namespace rollcall::cli
