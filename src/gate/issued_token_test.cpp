#include "gate/issued_token.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::gate {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

const SystemTime now{1'762'340'400'900ms};
const Uuid token_id{{0x01, 0x9a, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x01}};
const std::string user_id = "0b0c7d4e-2f5a-4c1e-9f64-0b0f6d2f1a11";

clerk::SessionClaims clerk_claims() {
    clerk::SessionClaims claims;
    claims.subject = "user_a";
    claims.session_id = "sess_a";
    claims.issued_at = now;
    claims.expires_at = now + 60s;
    return claims;
}

std::optional<IssuedClaims> issue(const clerk::SessionClaims& claims, const IssueRules& rules = {},
                                  const std::string& role = "user") {
    return issued_claims(claims, {.user_id = user_id, .role = role, .revoked_for = std::nullopt},
                         "authenticated", rules, now, token_id);
}

TEST(IssuedToken, SaysTheInternalIdAndWhoThatIsForClerk) {
    const auto issued = issue(clerk_claims());
    ASSERT_TRUE(issued);
    EXPECT_EQ(issued->payload,
              R"({"iss":"rollcall","sub":"0b0c7d4e-2f5a-4c1e-9f64-0b0f6d2f1a11",)"
              R"("aud":"authenticated","role":"authenticated","iat":1762340400,"nbf":1762340400,)"
              R"("exp":1762340460,"jti":"019a0000-0000-7000-8000-000000000001",)"
              R"("clerk_sub":"user_a","sid":"sess_a","user_role":"user"})");
    EXPECT_EQ(issued->expires_in, 60s);
}

TEST(IssuedToken, NeverOutlivesTheTokenItIsMadeOf) {
    auto claims = clerk_claims();
    claims.expires_at = now + 1h;
    EXPECT_EQ(issue(claims)->expires_in, 300s);
    EXPECT_EQ(issue(claims, {.issuer = "rollcall", .lifetime_max = 30s})->expires_in, 30s);
    claims.expires_at = now + 1s + 50ms;  // 401.950, and it was made at 400.900
    EXPECT_THAT(issue(claims)->payload, HasSubstr(R"("exp":1762340401,)"));
    EXPECT_EQ(issue(claims)->expires_in, 1s);
    claims.expires_at = now + 99ms;  // it is over within this second
    EXPECT_FALSE(issue(claims));
    claims.expires_at = now - 4s;  // within the skew that verification grants
    EXPECT_FALSE(issue(claims));
}

TEST(IssuedToken, KeepsTheOrganizationTheFactorsAndTheActor) {
    auto claims = clerk_claims();
    claims.organization = clerk::Organization{.id = "org_1",
                                              .slug = "acme",
                                              .role = "org:admin",
                                              .permissions = {"org:a:read", "org:b:\"x\""}};
    claims.factor_ages = clerk::FactorAges{.first = 3, .second = -1};
    claims.actor = clerk::Actor{.subject = "user_staff", .issuer = "https://d", .session = ""};
    const auto issued = issue(claims);
    ASSERT_TRUE(issued);
    EXPECT_THAT(issued->payload,
                HasSubstr(R"("org_id":"org_1","org_slug":"acme","org_role":"org:admin",)"
                          R"("org_permissions":["org:a:read","org:b:\"x\""],"fva":[3,-1],)"
                          R"("act":{"sub":"user_staff","iss":"https://d"}})"));
}

TEST(IssuedToken, TheUsersRoleIsNeverThatOfThePostgresSession) {
    const auto issued = issue(clerk_claims(), {}, "service_role");
    EXPECT_THAT(issued->payload, HasSubstr(R"("role":"authenticated")"));
    EXPECT_THAT(issued->payload, HasSubstr(R"("user_role":"service_role")"));
    EXPECT_THAT(issue(clerk_claims(), {}, "")->payload, Not(HasSubstr("user_role")));
}

}  // namespace
}  // namespace rollcall::gate
