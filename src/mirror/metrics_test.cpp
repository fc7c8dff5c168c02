#include "mirror/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::mirror {
namespace {

using testing::HasSubstr;

TEST(MirrorMetrics, EverythingIsThereFromTheStart) {
    MetricsRegistry registry;
    Metrics metrics(registry);
    for (const char* action :
         {"created", "updated", "unchanged", "adopted", "removed", "skipped"}) {
        EXPECT_THAT(
            registry.render(),
            HasSubstr(std::string("rollcall_mirror_users_total{action=\"") + action + "\"} 0"));
    }
    metrics.done(MirrorAction::adopted);
    metrics.known({.pending = 3, .dead = 1, .skipped = 2});
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_mirror_users_total{action=\"adopted\"} 1"));
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_mirror_pending_users 3"));
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_mirror_skipped_users 2"));

    EXPECT_THAT(registry.render(), HasSubstr("rollcall_mirror_compared_timestamp_seconds 0"));
    metrics.compared({.at = SystemTime(std::chrono::seconds(7)),
                      .by = "sql",
                      .drift = {.missing = 4, .different = 5, .extra = 6},
                      .foreign = 0,
                      .held = 8,
                      .failed_at = {},
                      .failure = ""});
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_mirror_drift_users{kind=\"missing\"} 4"));
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_mirror_drift_users{kind=\"different\"} 5"));
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_mirror_drift_users{kind=\"extra\"} 6"));
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_mirror_held_users 8"));
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_mirror_compared_timestamp_seconds 7"));
}

}  // namespace
}  // namespace rollcall::mirror
