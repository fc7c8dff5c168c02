#include "gate/presented_token.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>

namespace rollcall::gate {
namespace {

using Pairs = std::initializer_list<std::pair<std::string_view, std::string_view>>;

const CarrierRules header_only;
const CarrierRules with_cookie{.cookies = {"__session_own12345", "__session"},
                               .origins = {"https://app.example.com"}};

// The token, or the fault in words.
std::string shown(Pairs pairs, const CarrierRules& rules = header_only,
                  std::string_view method = "GET") {
    http::Fields headers;
    for (const auto& [name, value] : pairs) headers.add(name, value);
    const auto token = presented_token(headers, method, rules);
    return std::string(token ? *token : describe(token.error()));
}

std::string fault(CarrierFault fault) {
    return std::string(describe(fault));
}

TEST(PresentedToken, BearerInAnyCase) {
    for (const std::string_view scheme : {"Bearer", "bearer", "BEARER", "bEaReR"}) {
        EXPECT_EQ(shown({{"authorization", std::string(scheme) + " a.b.c"}}), "a.b.c");
    }
    EXPECT_EQ(shown({{"Authorization", "Bearer   a.b.c"}}), "a.b.c");
}

TEST(PresentedToken, NothingElseIsAToken) {
    EXPECT_EQ(shown({}), fault(CarrierFault::none));
    EXPECT_EQ(shown({{"Authorization", ""}}), fault(CarrierFault::none));
    EXPECT_EQ(shown({{"Authorization", "Basic YTpi"}}), fault(CarrierFault::none));
    EXPECT_EQ(shown({{"Authorization", "a.b.c"}}), fault(CarrierFault::none));
    EXPECT_EQ(shown({{"Authorization", "Bearera.b.c"}}), fault(CarrierFault::none));
    EXPECT_EQ(shown({{"Authorization", "Bearer"}}), fault(CarrierFault::empty));
    EXPECT_EQ(shown({{"Authorization", "Bearer  "}}), fault(CarrierFault::empty));
    EXPECT_EQ(shown({{"Proxy-Authorization", "Bearer a"}}), fault(CarrierFault::none));
}

TEST(PresentedToken, TwoFieldsAreNoToken) {
    EXPECT_EQ(shown({{"Authorization", "Bearer a"}, {"authorization", "Bearer a"}}),
              fault(CarrierFault::repeated));
    EXPECT_EQ(shown({{"Authorization", "Basic a"}, {"Authorization", "Bearer a"}}),
              fault(CarrierFault::repeated));
}

TEST(PresentedToken, ACookieCountsOnlyWhereItIsAllowed) {
    EXPECT_EQ(shown({{"Cookie", "__session=a.b.c"}}), fault(CarrierFault::none));
    EXPECT_EQ(shown({{"Cookie", "__session=a.b.c"}}, with_cookie), "a.b.c");
    EXPECT_EQ(shown({{"Cookie", "x=1; __session=a.b.c; y=2"}}, with_cookie), "a.b.c");
    EXPECT_EQ(shown({{"Cookie", "x=1"}, {"cookie", "__session=a"}}, with_cookie), "a");
    EXPECT_EQ(shown({{"Cookie", "__SESSION=a; x__session=a; __session"}}, with_cookie),
              fault(CarrierFault::none));
    EXPECT_EQ(shown({{"Cookie", "__session=a; __session=b"}}, with_cookie),
              fault(CarrierFault::repeated));
    EXPECT_EQ(shown({{"Cookie", "__session="}}, with_cookie), fault(CarrierFault::none));
}

// On a development host several applications of Clerk's set __session: that of the instance counts.
TEST(PresentedToken, TheInstancesOwnCookieGoesFirst) {
    EXPECT_EQ(shown({{"Cookie", "__session=other; __session_own12345=a"}}, with_cookie), "a");
    EXPECT_EQ(shown({{"Cookie", "__session_own12345=a"}}, with_cookie), "a");
    EXPECT_EQ(shown({{"Cookie", "__session_own12345=; __session=a"}}, with_cookie), "a");
    EXPECT_EQ(shown({{"Cookie", "__session_another=b; __session=a"}}, with_cookie), "a");
    EXPECT_EQ(shown({{"Cookie", "__session_another=b"}}, with_cookie), fault(CarrierFault::none));
    EXPECT_EQ(shown({{"Cookie", "__session_own12345=a; __session_own12345=b"}}, with_cookie),
              fault(CarrierFault::repeated));
    EXPECT_EQ(shown({{"Cookie", "__session_own12345=a"}}), fault(CarrierFault::none));
    EXPECT_EQ(
        shown({{"Authorization", "Bearer a"}, {"Cookie", "__session_own12345=b"}}, with_cookie),
        fault(CarrierFault::differ));
    EXPECT_EQ(shown({{"Cookie", "__session_own12345=a"}}, with_cookie, "POST"),
              fault(CarrierFault::cross_site));
}

TEST(PresentedToken, HeaderAndCookieMustAgree) {
    EXPECT_EQ(shown({{"Authorization", "Bearer a"}, {"Cookie", "__session=a"}}, with_cookie), "a");
    EXPECT_EQ(shown({{"Authorization", "Bearer a"}, {"Cookie", "__session=b"}}, with_cookie),
              fault(CarrierFault::differ));
    EXPECT_EQ(shown({{"Authorization", "Bearer a"}, {"Cookie", "__session=b"}}), "a");
    EXPECT_EQ(shown({{"Authorization", "Bearer"}, {"Cookie", "__session=b"}}, with_cookie),
              fault(CarrierFault::empty));
}

TEST(PresentedToken, ACookieChangesNothingForAnotherSite) {
    const std::pair<std::string_view, std::string_view> cookie{"Cookie", "__session=a"};
    for (const std::string_view method : {"POST", "PUT", "DELETE", "PATCH", "PROPFIND", "get"}) {
        EXPECT_EQ(shown({cookie}, with_cookie, method), fault(CarrierFault::cross_site)) << method;
        EXPECT_EQ(shown({cookie, {"Sec-Fetch-Site", "same-origin"}}, with_cookie, method), "a");
        EXPECT_EQ(shown({cookie, {"Origin", "https://app.example.com"}}, with_cookie, method), "a");
        EXPECT_EQ(shown({cookie, {"Origin", "https://evil.example"}}, with_cookie, method),
                  fault(CarrierFault::cross_site));
        for (const std::string_view site : {"cross-site", "same-site", "none", ""}) {
            EXPECT_EQ(
                shown({cookie, {"Sec-Fetch-Site", site}, {"Origin", "https://app.example.com"}},
                      with_cookie, method),
                fault(CarrierFault::cross_site))
                << site;
        }
    }
    EXPECT_EQ(shown({cookie, {"Sec-Fetch-Site", "cross-site"}}, with_cookie, "GET"), "a");
    EXPECT_EQ(shown({{"Authorization", "Bearer a"}}, with_cookie, "POST"), "a");
}

// Any site may have a browser open one, and the browser sends the cookies.
TEST(PresentedToken, ACookieOpensNoWebSocketForAnotherSite) {
    using Field = std::pair<std::string_view, std::string_view>;
    const Field cookie{"Cookie", "__session=a"};
    const Field connection{"Connection", "keep-alive, Upgrade"};
    const Field upgrade{"Upgrade", "WebSocket"};
    EXPECT_EQ(shown({cookie, connection, upgrade, {"Origin", "https://evil.example"}}, with_cookie),
              fault(CarrierFault::cross_site));
    EXPECT_EQ(shown({cookie, connection, upgrade}, with_cookie), fault(CarrierFault::cross_site));
    EXPECT_EQ(
        shown({cookie, connection, upgrade, {"Origin", "https://app.example.com"}}, with_cookie),
        "a");
    EXPECT_EQ(shown({{"Authorization", "Bearer a"}, connection, upgrade}, with_cookie), "a");
    // As a proxy asks, which does not pass on what is about one connection.
    const Field key{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="};
    EXPECT_EQ(shown({cookie, key, {"Origin", "https://evil.example"}}, with_cookie),
              fault(CarrierFault::cross_site));
    EXPECT_EQ(shown({cookie, key, {"Origin", "https://app.example.com"}}, with_cookie), "a");
}

}  // namespace
}  // namespace rollcall::gate
