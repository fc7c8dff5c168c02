#include "gate/identity_headers.hpp"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace rollcall::gate {
namespace {

TEST(IdentityHeaders, WhatTheGateSetsIsStripped) {
    for (const std::string_view name : identity_headers) EXPECT_TRUE(must_strip(name)) << name;
}

TEST(IdentityHeaders, WhatOthersSetIsStripped) {
    for (const char* name :
         {"X-Rollcall-Assertion", "X-Auth-Request-User", "X-Forwarded-User", "X-Forwarded-For",
          "X-Forwarded-Preferred-Username", "X-User-Id", "Remote-User", "X-Original-URI",
          "X-Original-URL", "X-Original-Method", "X-Rewrite-URL", "Forwarded", "X-Real-IP",
          "X-HTTP-Method", "X-HTTP-Method-Override", "x-envoy-original-path"}) {
        EXPECT_TRUE(must_strip(name)) << name;
    }
    for (const char* name : {"Authorization", "Cookie", "Content-Type", "X-Request-Id",
                             "X-Rollcall", "traceparent", "Forwarded-X", "X-Users-Id", ""}) {
        EXPECT_FALSE(must_strip(name)) << name;
    }
}

// CVE-2025-64484 (oauth2-proxy): X_Forwarded_User is X-Forwarded-User to WSGI and CGI.
TEST(IdentityHeaders, EverySpellingIsStripped) {
    for (const char* name :
         {"X_Forwarded_User", "x_rollcall_user_id", "X-ROLLCALL_USER-ID", "REMOTE_USER",
          "x_user_id", "X.Rollcall.User-Id", "x~forwarded!user"}) {
        EXPECT_TRUE(must_strip(name)) << name;
    }
}

// GHSA-w9mr-28mw-j8hg (Oathkeeper): `Connection: X-User` had the next hop remove the gate's field.
TEST(IdentityHeaders, ConnectionNamesNothingThatIsPassedOn) {
    http::Fields given;
    given.add("Host", "a.example");
    given.add("Connection", "close, X-Rollcall-User-Id");
    given.add("Connection", "x_secret");
    given.add("X-Rollcall-User-Id", "1");
    given.add("x_rollcall_user_id", "2");
    given.add("X-Secret", "3");
    given.add("TE", "trailers");
    given.add("Accept", "a");
    given.add("Accept", "b");
    const http::Fields out = stripped(given);
    std::string names;
    for (const auto& [name, value] : out.all()) names.append(name).append("=").append(value) += ' ';
    EXPECT_EQ(names, "Host=a.example Accept=a Accept=b ");
}

}  // namespace
}  // namespace rollcall::gate
