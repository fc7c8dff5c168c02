#include "supabase/auth_key.hpp"

#include "crypto/encoding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace rollcall::supabase {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string jwt(const std::string& payload) {
    std::string part = crypto::base64_encode(payload);
    while (part.ends_with('=')) part.pop_back();
    for (char& c : part) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return "eyJhbGciOiJIUzI1NiJ9." + part + ".c2lnbmF0dXJl";
}

std::string refusal(const std::string& key) {
    const auto checked = check_key(Secret(key));
    return checked ? "" : checked.error().message;
}

TEST(AuthKey, BothKindsOfAdminKeyAreKnown) {
    EXPECT_EQ(kind_of_key("sb_secret_abc123"), KeyKind::secret);
    EXPECT_EQ(kind_of_key("sb_secret_"), KeyKind::unknown);
    EXPECT_EQ(kind_of_key(jwt(R"({"role":"service_role","iss":"supabase"})")),
              KeyKind::service_role);
    EXPECT_EQ(kind_of_key(jwt(R"({"role":"supabase_admin"})")), KeyKind::service_role);
    EXPECT_EQ(refusal("sb_secret_abc123"), "");
    EXPECT_EQ(refusal(jwt(R"({"role":"service_role"})")), "");
}

TEST(AuthKey, WhatOpensNoAdministrationIsCalledByItsName) {
    EXPECT_THAT(refusal("sb_publishable_abc"), HasSubstr("publishable"));
    EXPECT_THAT(refusal(jwt(R"({"role":"anon"})")), HasSubstr("another role"));
    EXPECT_THAT(refusal(jwt(R"({"sub":"x"})")), HasSubstr("another role"));
    for (const std::string& odd :
         {std::string("secret"), std::string("a.b"), std::string("a.!.c"), std::string("a.b.c.d"),
          jwt("[]"), jwt("no json"), std::string(5000, 'a')}) {
        EXPECT_EQ(kind_of_key(odd), KeyKind::unknown) << odd.substr(0, 40);
        EXPECT_THAT(refusal(odd), HasSubstr("no key of Supabase's"));
    }
}

TEST(AuthKey, ARefusalNeverQuotesTheKey) {
    EXPECT_THAT(refusal("sb_publishable_canary"), Not(HasSubstr("canary")));
    EXPECT_THAT(refusal("canary"), Not(HasSubstr("canary")));
    // It becomes a header: no line ends in it.
    EXPECT_THAT(refusal("sb_secret_a\r\nX: y"), HasSubstr("one word"));
}

}  // namespace
}  // namespace rollcall::supabase
