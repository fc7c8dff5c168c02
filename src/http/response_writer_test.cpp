#include "http/response_writer.hpp"

#include <gtest/gtest.h>

namespace rollcall::http {
namespace {

constexpr std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";

TEST(HttpDate, IsImfFixdate) {
    EXPECT_EQ(http_date(784111777), date);
    EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(ResponseHead, IsWrittenWithTheServersFraming) {
    Response response = Response::json(202, "{}");
    response.headers.add("Content-Length", "99");
    response.headers.add("Transfer-Encoding", "chunked");
    response.headers.add("X-Extra", "1");
    std::string out;
    append_head(out, response, {.date = date, .request_id = "id-1", .close = false});
    EXPECT_EQ(out,
              "HTTP/1.1 202 Accepted\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
              "Content-Type: application/json\r\nX-Extra: 1\r\nX-Request-Id: id-1\r\n"
              "Content-Length: 2\r\n\r\n");
}

TEST(ResponseHead, SaysThatTheConnectionEnds) {
    std::string out;
    append_head(out, Response{.status = 204, .headers = {}, .body = "ignored"},
                {.date = date, .request_id = "", .close = true});
    EXPECT_EQ(out,
              "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
              "Connection: close\r\n\r\n");
}

TEST(ResponseHead, FieldsThatWouldSplitItAreFound) {
    Response response;
    EXPECT_TRUE(has_valid_fields(response));
    response.headers.set("Location", "/a\r\nSet-Cookie: x");
    EXPECT_FALSE(has_valid_fields(response));
    response.headers.set("Location", "/a");
    EXPECT_TRUE(has_valid_fields(response));
    response.headers.add("Bad name", "x");
    EXPECT_FALSE(has_valid_fields(response));
}

}  // namespace
}  // namespace rollcall::http
