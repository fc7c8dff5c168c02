#include "http/client_address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::http {
namespace {

using testing::HasSubstr;

TrustedProxies trusting(const std::vector<std::string>& networks) {
    auto proxies = TrustedProxies::parse(networks);
    EXPECT_TRUE(proxies) << (proxies ? "" : proxies.error().message);
    return proxies.value_or(TrustedProxies());
}

Fields forwarded(std::initializer_list<std::string_view> values) {
    Fields fields;
    for (const std::string_view value : values) fields.add("x-forwarded-for", value);
    return fields;
}

TEST(TrustedProxies, ContainWhatTheirNetworksDo) {
    const auto proxies = trusting({"10.0.0.0/8", "192.0.2.7", "fd00::/8", "2001:db8::/33"});
    for (const char* inside :
         {"10.0.0.0", "10.255.255.255", "192.0.2.7", "::ffff:10.1.2.3", "fdff::1", "2001:db8::1"}) {
        EXPECT_TRUE(proxies.contains(inside)) << inside;
    }
    for (const char* outside :
         {"11.0.0.0", "192.0.2.6", "fe00::1", "2001:db8:8000::1", "::1", "", "10.0.0", "a name"}) {
        EXPECT_FALSE(proxies.contains(outside)) << outside;
    }
    EXPECT_FALSE(TrustedProxies().contains("127.0.0.1"));
    // Written as IPv6 has it, an IPv4 network is one; what merely lies around them is none.
    EXPECT_TRUE(trusting({"::ffff:10.0.0.0/104"}).contains("10.9.9.9"));
    EXPECT_FALSE(trusting({"::/64"}).contains("10.9.9.9"));
}

TEST(TrustedProxies, RefuseEverybody) {
    for (const char* all : {"all", "*", "0.0.0.0/0", "::/0", "::ffff:0:0/96", "0.0.0.0/1",
                            "128.0.0.0/7", "2000::/3", "10.0.0.0/0"}) {
        const std::vector<std::string> networks{"10.0.0.0/8", all};
        const auto proxies = TrustedProxies::parse(networks);
        ASSERT_FALSE(proxies) << all;
        EXPECT_EQ(proxies.error().code, ErrorCode::bad_configuration);
        EXPECT_THAT(proxies.error().message, HasSubstr(all));
    }
}

TEST(TrustedProxies, RefuseWhatIsNoNetwork) {
    for (const char* bad : {"", "proxy.internal", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/8x",
                            "10.0.0/8", "/8", "::1/129", "10.0.0.0/-1", "10.0.0.0/ 8"}) {
        const std::vector<std::string> networks{bad};
        EXPECT_FALSE(TrustedProxies::parse(networks)) << bad;
    }
}

struct Walk {
    std::initializer_list<std::string_view> fields;
    std::string_view client;
};

TEST(ClientAddress, IsTheRightmostThatNoTrustedProxyHas) {
    const auto proxies = trusting({"127.0.0.1", "10.0.0.0/8", "fd00::/8"});
    const std::initializer_list<Walk> walks{
        {{}, "127.0.0.1"},
        {{"203.0.113.9"}, "203.0.113.9"},
        {{"1.1.1.1, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},  // the left part is the client's word
        {{"1.1.1.1", "203.0.113.9", "10.0.0.2,fd00::1"}, "203.0.113.9"},  // all fields are one
        {{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
        {{"203.0.113.9:4711"}, "203.0.113.9"},
        {{"2001:db8::9"}, "2001:db8::9"},
        {{"[2001:DB8:0::9]"}, "2001:db8::9"},
        {{"[2001:db8::9]:4711, [fd00::2]:1"}, "2001:db8::9"},
        {{"::ffff:203.0.113.9"}, "203.0.113.9"},
        {{"\t203.0.113.9 "}, "203.0.113.9"},
        // What is no address ends it, at the last one that was.
        {{"203.0.113.9, unknown, 10.0.0.2"}, "10.0.0.2"},
        {{"unknown"}, "127.0.0.1"},
        {{""}, "127.0.0.1"},
        {{"203.0.113.9,"}, "127.0.0.1"},
        {{"203.0.113.9:port"}, "127.0.0.1"},
        {{"[203.0.113.9"}, "127.0.0.1"},
        {{"[2001:db8::9]x"}, "127.0.0.1"},
        {{"203.0.113.9 10.0.0.2"}, "127.0.0.1"},
    };
    for (const Walk& walk : walks) {
        const Fields headers = forwarded(walk.fields);
        EXPECT_EQ(client_address("127.0.0.1", headers, proxies), walk.client)
            << (walk.fields.size() > 0 ? *walk.fields.begin() : "no field");
    }
}

TEST(ClientAddress, IsThePeerWhenThatIsNoTrustedProxy) {
    const Fields headers = forwarded({"203.0.113.9"});
    EXPECT_EQ(client_address("192.0.2.1", headers, TrustedProxies()), "192.0.2.1");
    EXPECT_EQ(client_address("192.0.2.1", headers, trusting({"10.0.0.0/8"})), "192.0.2.1");
    EXPECT_EQ(client_address("", headers, trusting({"10.0.0.0/8"})), "");
}

TEST(ClientAddress, LooksAtSoManyElementsOnly) {
    std::string proxies = "203.0.113.9";
    for (int i = 0; i < 31; ++i) proxies += ", 10.0.0.2";
    const auto trusted = trusting({"10.0.0.0/8"});
    EXPECT_EQ(client_address("10.0.0.1", forwarded({proxies}), trusted), "203.0.113.9");
    for (int i = 0; i < 10'000; ++i) proxies += ", 10.0.0.3";
    EXPECT_EQ(client_address("10.0.0.1", forwarded({proxies}), trusted), "10.0.0.3");
}

}  // namespace
}  // namespace rollcall::http
