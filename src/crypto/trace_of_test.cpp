#include "crypto/trace_of.hpp"

#include <gtest/gtest.h>

namespace rollcall::crypto {
namespace {

TEST(TraceOf, IsTheBeginningOfTheNamesHash) {
    // printf '%s' msg_1 | sha256sum
    const TraceContext trace = trace_of("msg_1");
    EXPECT_EQ(trace.to_header(), "00-116b88f173007be5e05df2a87105f095-0bef284d0ceca399-00");
    EXPECT_EQ(trace_of("msg_1"), trace);
    EXPECT_NE(trace_of("msg_2").trace, trace.trace);
    EXPECT_EQ(parse_traceparent(trace_of("").to_header()), trace_of(""));
}

}  // namespace
}  // namespace rollcall::crypto
