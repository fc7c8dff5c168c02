#include "webhooks/spooled_event.hpp"

#include <gtest/gtest.h>

namespace rollcall::webhooks {
namespace {

SpooledEvent an_event() {
    return {.job_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}},
            .svix_id = "msg_a",
            .sent_at = SystemTime(std::chrono::milliseconds(1'700'000'000'000)),
            .received_at = SystemTime(std::chrono::milliseconds(1'700'000'000'250)),
            .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            .body = std::string("{\"any\":\0\xff}", 10)};
}

TEST(SpooledEvent, IsReadAsItWasWritten) {
    const SpooledEvent event = an_event();
    EXPECT_EQ(read_record(to_record(event)), event);
    SpooledEvent bare = event;
    bare.traceparent = bare.body = "";
    EXPECT_EQ(read_record(to_record(bare)), bare);
}

TEST(SpooledEvent, WhatIsNotWholeIsNone) {
    const std::string record = to_record(an_event());
    for (std::size_t size = 0; size < record.size(); ++size) {
        EXPECT_FALSE(read_record(std::string_view(record).substr(0, size))) << size;
    }
    EXPECT_FALSE(read_record(record + "x"));
}

TEST(SpooledEvent, ALaterVersionIsNotGuessedAt) {
    std::string record = to_record(an_event());
    record[0] = 2;
    EXPECT_FALSE(read_record(record));
}

}  // namespace
}  // namespace rollcall::webhooks
