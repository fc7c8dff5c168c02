#include "alerts/message.hpp"

#include <gtest/gtest.h>

namespace rollcall::alerts {
namespace {

constexpr SystemTime since{std::chrono::milliseconds(1'800'000'000'000)};

TEST(AlertMessage, HasWhatProgramsAndSlackRead) {
    EXPECT_EQ(to_json({.alert = "QueueStuck",
                       .firing = true,
                       .summary = "Oldest job: 7 minutes",
                       .since = since,
                       .labels = R"({"queue":"users"})"}),
              R"({"alert":"QueueStuck","status":"firing","summary":"Oldest job: 7 minutes",)"
              R"("since":"2027-01-15T08:00:00.000Z","labels":{"queue":"users"},)"
              R"("text":"[FIRING] rollcall QueueStuck: Oldest job: 7 minutes )"
              R"x((since 2027-01-15T08:00:00.000Z)"})x");
}

TEST(AlertMessage, SaysWhenItIsOver) {
    const std::string json = to_json({.alert = "Drift", .firing = false, .since = since});
    EXPECT_NE(json.find(R"("status":"resolved")"), std::string::npos);
    EXPECT_NE(json.find("[RESOLVED]"), std::string::npos);
}

TEST(AlertMessage, NobodyIsCalledOrLinkedByWhatASummaryQuotes) {
    const std::string json =
        to_json({.alert = "SyncFailing", .summary = "<!channel> & \"x\"", .since = since});
    EXPECT_NE(json.find(R"(SyncFailing: &lt;!channel&gt; &amp; \"x\")"), std::string::npos) << json;
    EXPECT_NE(json.find(R"("summary":"<!channel> & \"x\"")"), std::string::npos) << json;
}

}  // namespace
}  // namespace rollcall::alerts
