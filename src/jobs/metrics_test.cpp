#include "jobs/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::jobs {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(JobsMetrics, ExistBeforeAnythingHappens) {
    MetricsRegistry registry;
    const Metrics metrics(registry);
    const auto text = registry.render();
    for (const auto* line :
         {R"(rollcall_jobs_enqueued_total{kind="USER_CREATED",queue="users",source="webhook"} 0)",
          R"(rollcall_jobs_completed_total{kind="REFRESH_USER",queue="effects",result="dead"} 0)",
          R"(rollcall_jobs_rescued_total{queue="effects"} 0)",
          R"(rollcall_queue_jobs{queue="users",state="ready"} 0)",
          R"(rollcall_queue_oldest_ready_age_seconds{queue="users"} 0)",
          R"(rollcall_workers_busy{queue="effects"} 0)", R"(rollcall_leader{role="chores"} 0)",
          R"(rollcall_job_end_to_end_seconds_count{kind="USER_UPDATED"} 0)",
          R"(rollcall_claim_duration_seconds_count{queue="users"} 0)",
          R"(rollcall_job_wait_seconds_count{queue="users"} 0)"}) {
        EXPECT_THAT(text, HasSubstr(line));
    }
}

TEST(JobsMetrics, CountAndNeverGrowLabels) {
    MetricsRegistry registry;
    Metrics metrics(registry);
    metrics.enqueued("USER_CREATED", Metrics::Source::webhook, 16);
    metrics.ended("SOMETHING_ELSE", Metrics::Ending::dead, 10);
    metrics.ended("REFRESH_USER", Metrics::Ending::retry, 1);
    metrics.leader("chores", true);
    metrics.depth(queue_users, {.ready = 3, .dead = 1, .oldest_ready_age_seconds = 1.5});
    const auto text = registry.render();
    for (const auto* line :
         {R"(rollcall_jobs_enqueued_total{kind="USER_CREATED",queue="users",source="webhook"} 16)",
          R"(rollcall_jobs_completed_total{kind="other",queue="effects",result="dead"} 1)",
          R"(rollcall_job_attempts_count{kind="other"} 1)",
          R"(rollcall_job_attempts_count{kind="REFRESH_USER"} 0)",
          R"(rollcall_leader{role="chores"} 1)",
          R"(rollcall_queue_jobs{queue="users",state="ready"} 3)",
          R"(rollcall_queue_oldest_ready_age_seconds{queue="users"} 1.5)"}) {
        EXPECT_THAT(text, HasSubstr(line));
    }
    EXPECT_THAT(text, Not(HasSubstr("SOMETHING_ELSE")));
}

TEST(JobsMetrics, AQueueOfALaterBuildIsIgnored) {
    MetricsRegistry registry;
    Metrics metrics(registry);
    metrics.depth("of_tomorrow", {.ready = 3});
    EXPECT_THAT(registry.render(), Not(HasSubstr("of_tomorrow")));
}

TEST(QueueOf, ChangesOfUsersAreOneQueueAndTheRestAnother) {
    EXPECT_EQ(queue_of("USER_DELETED"), "users");
    EXPECT_EQ(queue_of("REFRESH_USER"), "effects");
    EXPECT_EQ(queue_of("MIRROR_USER"), "mirror");
    EXPECT_EQ(queue_of("MINE"), "effects");
    EXPECT_EQ(kind_label("MINE"), "other");
    EXPECT_EQ(kind_label("UNKNOWN_EVENT"), "UNKNOWN_EVENT");
}

}  // namespace
}  // namespace rollcall::jobs
