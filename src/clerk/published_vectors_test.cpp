// The examples that the specifications print: tests/data/jose/published.json names each.
#include "clerk/token_cases_test.hpp"

#include <gtest/gtest.h>
#include <boost/json/serialize.hpp>

namespace rollcall::clerk {
namespace {

json::object published() {
    return read_test_json(ROLLCALL_SOURCE_DIR "/tests/data/jose/published.json").as_object();
}

TEST(PublishedVectors, TokensOfTheRfcsBecomeWhatTheyAre) {
    const std::vector<crypto::Algorithm> all{crypto::Algorithm::rs256, crypto::Algorithm::es256,
                                             crypto::Algorithm::ps256};
    const auto file = published();
    for (const auto& item : file.at("tokens").get_array()) {
        const auto& token = item.get_object();
        const auto set =
            crypto::JwkSet::parse(json::serialize(json::object{{"keys", token.at("keys")}}));
        std::string_view verdict = "jwks_unavailable";
        if (set) {
            const auto good = verify_signature(token.at("token").get_string(), *set, all);
            verdict = good ? "ok" : to_string(good.error().reason);
        }
        EXPECT_EQ(verdict, token.at("verdict").get_string()) << token.at("name").get_string();
    }
    EXPECT_GE(file.at("tokens").get_array().size(), 21U);
}

TEST(PublishedVectors, ThumbprintsOfRfc7638) {
    const auto file = published();
    for (const auto& item : file.at("thumbprints").get_array()) {
        const auto& vector = item.get_object();
        const auto set = crypto::JwkSet::parse(
            json::serialize(json::object{{"keys", json::array{vector.at("key")}}}));
        ASSERT_TRUE(set.has_value());
        EXPECT_EQ(set->sole()->thumbprint(), vector.at("thumbprint").get_string());
    }
}

TEST(PublishedVectors, SetsOfRfc7517) {
    const auto file = published();
    for (const auto& item : file.at("sets").get_array()) {
        const auto& vector = item.get_object();
        const auto set = crypto::JwkSet::parse(json::serialize(vector.at("set")));
        EXPECT_EQ(set ? "ok" : to_string(set.error()), vector.at("verdict").get_string());
        if (set) EXPECT_EQ(set->kids(), strings_of(vector.at("kids")));
    }
}

}  // namespace
}  // namespace rollcall::clerk
