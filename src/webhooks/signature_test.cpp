#include "webhooks/signature.hpp"

#include <gtest/gtest.h>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <sstream>

namespace rollcall::webhooks {
namespace {

namespace json = boost::json;

constexpr std::string_view secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SystemTime now{std::chrono::seconds(1'762'340'400)};

std::string verdict(const json::object& example) {
    const auto secrets = SigningSecrets::parse(example.at("secrets").as_string());
    if (!secrets) return "bad_secret";
    http::Fields fields;
    for (const json::value& header : example.at("headers").as_array()) {
        fields.add(header.at(0).as_string(), header.at(1).as_string());
    }
    const SystemTime then{std::chrono::seconds(example.at("now").as_int64())};
    const auto verified =
        verify(*secrets, delivery_headers(fields), example.at("body").as_string(), then);
    if (!verified) return std::string(to_string(verified.error()));
    return "accepted " + std::to_string(verified->slot);
}

// Signed by another implementation; among them the vector that Standard Webhooks publishes.
// fault 7
TEST(Signature, JudgesEveryKeptCaseAsExpected) {
    std::ifstream file(ROLLCALL_SOURCE_DIR "/tests/data/signatures/cases.json");
    std::ostringstream text;
    text << file.rdbuf();
    const json::value cases = json::parse(text.str());
    ASSERT_GT(cases.as_array().size(), 120U);
    for (const json::value& example : cases.as_array()) {
        EXPECT_EQ(verdict(example.as_object()), example.at("expect").as_string().c_str())
            << example.at("name");
    }
}

TEST(Signature, SignsWhatItAccepts) {
    const auto secrets = SigningSecrets::parse(secret);
    ASSERT_TRUE(secrets);
    const std::string signature =
        secrets->sign(0, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", R"({"test": 2432232314})");
    EXPECT_EQ(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(Signature, TellsWhenItWasSent) {
    const auto secrets = SigningSecrets::parse(secret);
    const std::string signature = secrets->sign(0, "msg_1", "1762340390", "{}");
    const auto verified =
        verify(*secrets, {.id = "msg_1", .timestamp = "1762340390", .signature = signature}, "{}",
               now + std::chrono::milliseconds(999));
    ASSERT_TRUE(verified);
    EXPECT_EQ(verified->sent_at, now - std::chrono::seconds(10));
}

// A forged or damaged delivery is never accepted, whichever bit of it differs.
TEST(Signature, RefusesEveryChangedBit) {
    const auto secrets = SigningSecrets::parse(secret);
    const std::string body = R"({"type":"user.updated"})";
    const std::string signature = secrets->sign(0, "msg_1", "1762340400", body);
    const auto accepted = [&](std::string_view id, std::string_view signed_as,
                              std::string_view content) {
        return verify(*secrets, {.id = id, .timestamp = "1762340400", .signature = signed_as},
                      content, now)
            .has_value();
    };
    ASSERT_TRUE(accepted("msg_1", signature, body));
    const auto flipped = [](std::string text, std::size_t bit) {
        text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
        return text;
    };
    for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
        EXPECT_FALSE(accepted("msg_1", signature, flipped(body, bit))) << bit;
    }
    for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
        EXPECT_FALSE(accepted("msg_1", flipped(signature, bit), body)) << bit;
    }
    for (std::size_t bit = 0; bit < 5 * 8; ++bit) {
        EXPECT_FALSE(accepted(flipped("msg_1", bit), signature, body)) << bit;
    }
}

TEST(Signature, WithoutASecretNothingIsAccepted) {
    const SigningSecrets none;
    const auto verified =
        verify(none, {.id = "msg_1", .timestamp = "1762340400", .signature = "v1,x"}, "{}", now);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error(), Refusal::bad_secret);
}

// A forged message signed with the empty key must fail however the secret was given.
TEST(SigningSecrets, RefusesWhatIsTooShortAndSaysWhichWithoutShowingIt) {
    const auto secrets = SigningSecrets::parse(std::string(secret) + " whsec_c2hvcnQ=");
    ASSERT_FALSE(secrets);
    EXPECT_EQ(secrets.error().code, ErrorCode::bad_configuration);
    EXPECT_NE(secrets.error().message.find("number 2"), std::string::npos);
    EXPECT_NE(secrets.error().message.find("5 bytes"), std::string::npos);
    EXPECT_EQ(secrets.error().message.find("c2hvcnQ"), std::string::npos);
    for (const char* text : {"", " ", "whsec_", "whsec_AAAA", "whsec_ whsec_"}) {
        EXPECT_FALSE(SigningSecrets::parse(text)) << text;
    }
}

}  // namespace
}  // namespace rollcall::webhooks
