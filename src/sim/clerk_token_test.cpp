#include "sim/clerk_token.hpp"

#include "clerk/session_token.hpp"
#include "crypto/encoding.hpp"
#include "crypto/jwk_set.hpp"

#include <gtest/gtest.h>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace rollcall::sim {
namespace {

using namespace std::chrono_literals;

class ClerkTokenTest : public testing::Test {
protected:
    ClerkTokenTest() {
        const auto made = clerk_.populate(1, nullptr, false);
        session_ = clerk_.sign_in(made.front(), SessionStatus::active, std::nullopt, {});
    }

    // What rollcall's own verifier says, with the set as it is published now.
    std::string judged(const MintedToken& token) {
        const auto keys = crypto::JwkSet::parse(clerk_.keys.jwks());
        if (!keys) return std::string(describe(keys.error()));
        clerk::TokenRules rules;
        rules.issuers = {std::string(ClerkInstance::issuer)};
        const auto claims = clerk::verify(token.jwt, *keys, rules, clock_.now());
        if (!claims) return std::string(to_string(claims.error().reason));
        permissions_.clear();
        if (claims->organization) permissions_ = claims->organization->permissions;
        return claims->subject + " " + claims->session_id;
    }
    [[nodiscard]] std::string accepted() const { return session_.user_id + " " + session_.id; }

    ManualClock clock_{SystemTime(1'700'000'000'000ms)};
    ClerkInstance clerk_{1, {}, 1000, 1, {}, clock_};
    ClerkSession session_;
    std::vector<std::string> permissions_;  // of the last token that was accepted
};

TEST_F(ClerkTokenTest, HasTheFormOfVersion2) {
    const auto token = mint(clerk_, session_, {});
    EXPECT_EQ(
        token.header,
        (json::object{
            {"alg", "RS256"}, {"cat", "cl_B7d4PD111AAA"}, {"kid", clerk_.id}, {"typ", "JWT"}}));
    auto claims = token.claims;
    EXPECT_EQ(claims.at("jti").as_string().size(), 20U);
    claims.erase("jti");
    EXPECT_EQ(claims, (json::object{{"exp", 1'700'000'060},
                                    {"fva", json::array{0, -1}},
                                    {"iat", 1'700'000'000},
                                    {"iss", "https://clerk.rollcall.localhost"},
                                    {"nbf", 1'699'999'990},
                                    {"sid", session_.id},
                                    {"sts", "active"},
                                    {"sub", session_.user_id},
                                    {"v", 2}}));
    EXPECT_EQ(judged(token), accepted());
    EXPECT_NE(mint(clerk_, session_, {}).jwt, token.jwt) << "another jti each time";
}

TEST_F(ClerkTokenTest, EndsWhenItSays) {
    const auto token = mint(clerk_, session_, {});
    clock_.advance(64s);
    EXPECT_EQ(judged(token), accepted());
    clock_.advance(1s);
    EXPECT_EQ(judged(token), "expired");
    TokenOptions old;
    old.expired = true;
    EXPECT_EQ(judged(mint(clerk_, session_, old)), "expired");
    TokenOptions longer;
    longer.lifetime = 3'601;
    EXPECT_EQ(judged(mint(clerk_, session_, longer)), "lifetime_too_long");
}

TEST_F(ClerkTokenTest, IsRefusedForWhatTheOptionsSay) {
    TokenOptions options;
    options.pending = true;
    EXPECT_EQ(judged(mint(clerk_, session_, options)), "session_pending");
    options = {};
    options.of_template = true;
    const auto of_template = mint(clerk_, session_, options);
    EXPECT_EQ(judged(of_template), "bad_type");
    for (const auto* name : {"sid", "sts", "fva", "v"}) {
        EXPECT_FALSE(of_template.claims.contains(name)) << name;
    }
    options = {};
    options.header = {{"kid", "ins_other"}};
    EXPECT_EQ(judged(mint(clerk_, session_, options)), "kid_unknown");
    options = {};
    options.claims = {{"iss", "https://other.example.com"}};
    EXPECT_EQ(judged(mint(clerk_, session_, options)), "bad_issuer");
    options.claims = {{"sid", nullptr}};
    EXPECT_EQ(judged(mint(clerk_, session_, options)), "bad_type");
    // What is laid over is signed: without it the token is another's.
    auto torn = mint(clerk_, session_, {});
    const auto first = torn.jwt.find('.');
    torn.claims["sub"] = "user_other";
    torn.jwt.replace(first + 1, torn.jwt.rfind('.') - first - 1,
                     crypto::base64url_encode(json::serialize(torn.claims)));
    EXPECT_EQ(judged(torn), "bad_signature");
}

TEST_F(ClerkTokenTest, PacksPermissionsAsClerkDoes) {
    TokenOptions options;
    options.organization = {
        .id = "org_1",
        .slug = "acme",
        .role = "org:admin",
        .permissions = {"org:dashboard:manage", "org:dashboard:read", "org:teams:read"}};
    const auto two = mint(clerk_, session_, options);
    EXPECT_EQ(two.claims.at("fea"), "o:dashboard,o:teams");
    EXPECT_EQ(two.claims.at("o"), (json::object{{"id", "org_1"},
                                                {"slg", "acme"},
                                                {"rol", "admin"},
                                                {"per", "manage,read"},
                                                {"fpm", "3,2"}}));
    EXPECT_EQ(judged(two), accepted());
    EXPECT_EQ(permissions_, options.organization->permissions);
    options.version_1 = true;
    const auto one = mint(clerk_, session_, options);
    EXPECT_FALSE(one.claims.contains("v"));
    EXPECT_FALSE(one.claims.contains("o"));
    EXPECT_EQ(one.claims.at("org_role"), "org:admin");
    EXPECT_EQ(one.claims.at("org_permissions"),
              (json::array{"org:dashboard:manage", "org:dashboard:read", "org:teams:read"}));
    EXPECT_EQ(judged(one), accepted());
    EXPECT_EQ(permissions_, options.organization->permissions);
    EXPECT_TRUE(can_pack({"org:a:b"}));
    for (const auto* wrong : {"", "a:b", "org:a", "org::b", "org:a:", "org:a:b,c"}) {
        EXPECT_FALSE(can_pack({wrong})) << wrong;
    }
    EXPECT_FALSE(can_pack(std::vector<std::string>(61, "org:a:b")));
}

TEST_F(ClerkTokenTest, KeysGiveWay) {
    const auto before = mint(clerk_, session_, {});
    clerk_.rotate_keys(/*overlap=*/true);
    const auto after = mint(clerk_, session_, {});
    EXPECT_NE(after.header.at("kid"), before.header.at("kid"));
    EXPECT_EQ(judged(before), accepted());
    EXPECT_EQ(judged(after), accepted());
    EXPECT_FALSE(clerk_.keys.withdraw(clerk_.keys.current().kid)) << "it signs";
    EXPECT_TRUE(clerk_.keys.withdraw(clerk_.id));
    EXPECT_FALSE(clerk_.keys.withdraw(clerk_.id));
    EXPECT_EQ(judged(before), "kid_unknown");
    clerk_.rotate_keys(/*overlap=*/false);
    EXPECT_EQ(judged(after), "kid_unknown");
    EXPECT_EQ(clerk_.keys.published().size(), 1U);
    EXPECT_EQ(judged(mint(clerk_, session_, {})), accepted());
}

}  // namespace
}  // namespace rollcall::sim
