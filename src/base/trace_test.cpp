#include "base/trace.hpp"

#include <gtest/gtest.h>

namespace rollcall {
namespace {

constexpr std::string_view trace = "0af7651916cd43dd8448eb211c80319c";
constexpr std::string_view example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, IsWrittenAsItWasRead) {
    const auto context = parse_traceparent(example);
    ASSERT_TRUE(context);
    EXPECT_FALSE(context->empty());
    EXPECT_TRUE(context->sampled);
    EXPECT_EQ(context->trace_id(), trace);
    EXPECT_EQ(context->to_header(), example);
}

TEST(TraceContext, OfItsFlagsOneIsKnown) {
    const std::string start(example.substr(0, 53));
    EXPECT_FALSE(parse_traceparent(start + "00")->sampled);
    EXPECT_TRUE(parse_traceparent(start + "ff")->sampled);
    EXPECT_EQ(parse_traceparent(start + "fe")->to_header(), start + "00");
}

TEST(TraceContext, OfALaterVersionTheFirstFourPartsAreRead) {
    const std::string rest(example.substr(2));
    for (const std::string& later : {"cc" + rest, "01" + rest + "-", "01" + rest + "-what-else"}) {
        const auto context = parse_traceparent(later);
        ASSERT_TRUE(context) << later;
        EXPECT_EQ(context->to_header(), example);
    }
    EXPECT_FALSE(parse_traceparent("01" + rest + "x"));
}

// The invalid ones of the standard's own test suite.
TEST(TraceContext, WhatIsNotValidIsNothing) {
    const std::string zeros(32, '0');
    for (const std::string& bad : {
             std::string(), std::string("00"), std::string(example.substr(0, 54)),  // cut off
             std::string(example) + "-",                           // version 00 is as long
             std::string(example) + "-what-else",                  //
             "ff" + std::string(example.substr(2)),                // never a version
             "0" + std::string(example.substr(2)) + "0",           // parts of other lengths
             "00-" + zeros + "-b7ad6b7169203331-01",               // no trace
             "00-" + std::string(trace) + "-0000000000000000-01",  // no span
             std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),  // upper case
             ".0-" + std::string(trace) + "-b7ad6b7169203331-01",  // no hexadecimal digits
             "00-" + std::string(trace) + "-b7ad6b716920333.-01",  //
             "00-" + std::string(trace) + "-b7ad6b7169203331-0x",  //
             "00_" + std::string(trace) + "-b7ad6b7169203331-01",  //
             " " + std::string(example),                           //
             std::string(example) + "," + std::string(example),    // two fields made one
         }) {
        EXPECT_FALSE(parse_traceparent(bad)) << bad;
    }
}

TEST(TraceContext, AChildHasTheTraceAndASpanOfItsOwn) {
    Random random(7);
    const auto parent = *parse_traceparent(example);
    const TraceContext child = parent.child(random);
    EXPECT_EQ(child.trace_id(), trace);
    EXPECT_TRUE(child.sampled);
    EXPECT_NE(child.span, parent.span);
    EXPECT_NE(parent.child(random), child);
    EXPECT_EQ(parse_traceparent(child.to_header()), child);
}

TEST(TraceContext, ANewTraceIsValidAndNobodys) {
    Random random(7);
    const TraceContext one = new_trace(random);
    EXPECT_EQ(parse_traceparent(one.to_header()), one);
    EXPECT_NE(new_trace(random).trace, one.trace);
    EXPECT_TRUE(TraceContext().empty());
}

}  // namespace
}  // namespace rollcall
