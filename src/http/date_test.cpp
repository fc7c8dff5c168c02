#include "http/date.hpp"

#include "http/response_writer.hpp"

#include <gtest/gtest.h>

namespace rollcall::http {
namespace {

TEST(HttpDate, IsReadAsItIsWritten) {
    for (const std::int64_t seconds : {0LL, 784111777LL, 951782399LL, 4102444799LL}) {
        const auto read = parse_http_date(http_date(seconds));
        ASSERT_TRUE(read) << http_date(seconds);
        EXPECT_EQ(*read, SystemTime(std::chrono::seconds(seconds)));
    }
}

TEST(HttpDate, AnotherTextIsNone) {
    for (const auto* text : {"", "now", "Sunday, 06-Nov-94 08:49:37 GMT",
                             "Sun Nov  6 08:49:37 1994", "Sun, 31 Feb 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Now 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 08:4x:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET"}) {
        EXPECT_FALSE(parse_http_date(text)) << text;
    }
}

}  // namespace
}  // namespace rollcall::http
