#include "sim/clerk_endpoint.hpp"

#include <gtest/gtest.h>

namespace rollcall::sim {
namespace {

using std::chrono::hours;

constexpr std::string_view first_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view second_secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
constexpr SteadyTime start{hours(1000)};

std::string signature(const WebhookEndpoint& endpoint, SteadyTime now,
                      SigningMode mode = SigningMode::valid_keys) {
    return endpoint.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", R"({"test": 2432232314})",
                         mode, now);
}

// The example of Svix's own libraries.
constexpr std::string_view first_signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

TEST(WebhookEndpoint, SignsAsSvixDoes) {
    WebhookEndpoint endpoint;
    ASSERT_TRUE(endpoint.rotate(first_secret, start));
    EXPECT_EQ(signature(endpoint, start), first_signature);
}

TEST(WebhookEndpoint, SignsWithEveryValidKeyDuringARotation) {
    WebhookEndpoint endpoint;
    ASSERT_TRUE(endpoint.rotate(first_secret, start));
    ASSERT_TRUE(endpoint.rotate(second_secret, start));
    const auto both = signature(endpoint, start + hours(23));
    ASSERT_TRUE(both.ends_with(" " + std::string(first_signature))) << both;
    EXPECT_EQ(endpoint.secrets(start + hours(23)),
              (std::vector<std::string>{std::string(second_secret), std::string(first_secret)}));
    const auto later = signature(endpoint, start + hours(24));
    EXPECT_EQ(later, both.substr(0, both.find(' ')));
    EXPECT_EQ(endpoint.secrets(start + hours(24)).size(), 1U);
}

TEST(WebhookEndpoint, SignsWronglyWhenAsked) {
    WebhookEndpoint endpoint;
    ASSERT_TRUE(endpoint.rotate(first_secret, start));
    const auto unknown = signature(endpoint, start, SigningMode::unknown_key);
    EXPECT_TRUE(unknown.starts_with("v1,"));
    EXPECT_NE(unknown, first_signature);
    EXPECT_EQ(signature(endpoint, start, SigningMode::old_key), unknown) << "there is no old key";
    ASSERT_TRUE(endpoint.rotate(second_secret, start));
    EXPECT_EQ(signature(endpoint, start + hours(48), SigningMode::old_key), first_signature);
}

TEST(WebhookEndpoint, RefusesShortAndBrokenSecrets) {
    WebhookEndpoint endpoint;
    for (const auto* bad : {"", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "secret"}) {
        const auto done = endpoint.rotate(bad, start);
        ASSERT_FALSE(done.has_value()) << bad;
        EXPECT_EQ(done.error().code, ErrorCode::bad_configuration);
    }
    EXPECT_TRUE(endpoint.secrets(start).empty());
}

TEST(WebhookEndpoint, KeepsElevenKeysAtMost) {
    WebhookEndpoint endpoint;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(endpoint.rotate(first_secret, start));
    EXPECT_EQ(endpoint.secrets(start).size(), 11U);
}

TEST(Loopback, IsOnlyThisMachine) {
    for (const auto* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"}) {
        EXPECT_TRUE(is_loopback_host(host)) << host;
    }
    for (const auto* host :
         {"", "0.0.0.0", "10.0.0.1", "::", "[::]", "example.com", "127.0.0.1.example.com",
          "localhost.example.com", "127.1", "[::1", "::ffff:8.8.8.8"}) {
        EXPECT_FALSE(is_loopback_host(host)) << host;
    }
}

TEST(Loopback, IsAskedOfTheWebhookUrl) {
    for (const auto* url : {"http://127.0.0.1:8080/webhooks/clerk", "http://localhost:1/",
                            "https://[::1]:8443/x", "http://localhost"}) {
        EXPECT_TRUE(check_webhook_url(url)) << url;
    }
    for (const auto* url :
         {"", "localhost:8080", "ftp://localhost/", "http://example.com/", "http://10.1.2.3/",
          "http://127.0.0.1@example.com/", "http://localhost:80@example.com/",
          "http://example.com#@localhost/", "http://example.com\\@localhost/", "http:///x",
          "http://0.0.0.0/", "//localhost/",
          // A reader that stops at the end of the address takes the rest for a path.
          "http://127.0.0.1.evil.com", "http://127.0.0.1.evil.com:8080/x",
          "http://127.0.0.1evil.com/", "https://[::1].evil.com/", "http://localhost.evil.com/"}) {
        EXPECT_FALSE(check_webhook_url(url)) << url;
    }
}

TEST(Loopback, IsAskedOfTheListenAddress) {
    for (const auto* listen : {"127.0.0.1:0", "[::1]:8787", "localhost:1"}) {
        EXPECT_TRUE(check_loopback_listen(listen)) << listen;
    }
    for (const auto* listen : {"", ":8080", "8080", "0.0.0.0:1", "[::]:1", "192.168.0.1:80",
                               "127.0.0.1", "127.0.0.1:"}) {
        EXPECT_FALSE(check_loopback_listen(listen)) << listen;
    }
}

}  // namespace
}  // namespace rollcall::sim
