#include "http/answer.hpp"

#include <gtest/gtest.h>

namespace rollcall::http {
namespace {

TEST(RetryAfter, IsWholeSecondsUpToAnHour) {
    const auto of = [](std::string_view value) {
        Response response;
        response.headers.add("Retry-After", value);
        return retry_after(response);
    };
    EXPECT_EQ(of("0"), std::chrono::seconds(0));
    EXPECT_EQ(of("7"), std::chrono::seconds(7));
    EXPECT_EQ(of("99999"), std::chrono::hours(1));
    EXPECT_EQ(of("99999999999999999999999"), std::chrono::hours(1));
    for (const char* odd : {"", "-1", "1.5", "7s", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"}) {
        EXPECT_EQ(of(odd), std::nullopt) << odd;
    }
    EXPECT_EQ(retry_after(Response{}), std::nullopt);
}

TEST(LoggableWord, IsNeverWhatSomebodyIsCalled) {
    for (const char* word : {"email_exists", "23505", "cafe-BABE", ""}) {
        EXPECT_EQ(loggable_word(word), word);
    }
    for (const char* odd : {"a@example.com", "Ann Lee", "a\nb", "ü"}) {
        EXPECT_EQ(loggable_word(odd), "") << odd;
    }
    EXPECT_EQ(loggable_word(std::string(65, 'a')), "");
}

}  // namespace
}  // namespace rollcall::http
