#include "webhooks/failing_networks.hpp"

#include <gtest/gtest.h>

namespace rollcall::webhooks {
namespace {

std::string nth(int number) {
    return "10.0." + std::to_string(number) + ".0/24";
}

TEST(FailingNetworks, CountsByTheMinute) {
    FailingNetworks networks;
    networks.note(1, nth(1));
    networks.note(1, nth(1));
    networks.note(1, nth(2));
    networks.note(2, nth(1));
    networks.note(2, "");
    EXPECT_EQ(networks.minutes(),
              (FailingNetworks::Minutes{{1, {{nth(1), 2}, {nth(2), 1}}}, {2, {{nth(1), 1}}}}));
    networks.clear();
    EXPECT_TRUE(networks.minutes().empty());
}

TEST(FailingNetworks, TheHeaviestIsFoundAmongAnyNumberOfOthers) {
    FailingNetworks networks;
    constexpr int others = 2'000;
    for (int i = 0; i < others; ++i) {
        networks.note(1, "203.0.113.0/24");
        networks.note(1, nth(i));
    }
    const auto& counts = networks.minutes().at(1);
    EXPECT_LE(counts.size(), FailingNetworks::networks_max);
    ASSERT_TRUE(counts.contains("203.0.113.0/24"));
    EXPECT_LE(counts.at("203.0.113.0/24"), others);
    EXPECT_GE(counts.at("203.0.113.0/24"), others - 2 * others / 17);
}

TEST(FailingNetworks, ManyAtOnceWeighAsMuchAsOneByOne) {
    FailingNetworks networks;
    for (int i = 0; i < 16; ++i) networks.note(1, nth(i), 5);
    networks.note(1, "203.0.113.0/24", 3);
    EXPECT_EQ(networks.minutes().at(1).at(nth(0)), 2);
    networks.note(1, "203.0.113.0/24", 10);
    EXPECT_EQ(networks.minutes().at(1), (FailingNetworks::Counts{{"203.0.113.0/24", 8}}));
}

TEST(FailingNetworks, TheOldestMinutesGoFirst) {
    FailingNetworks networks;
    for (int minute = 0; minute < 100; ++minute) networks.note(minute, nth(1));
    EXPECT_EQ(networks.minutes().size(), FailingNetworks::minutes_max);
    EXPECT_EQ(networks.minutes().begin()->first, 40);
    networks.note(3, nth(1));  // an older one than all of them
    EXPECT_EQ(networks.minutes().begin()->first, 40);
}

}  // namespace
}  // namespace rollcall::webhooks
