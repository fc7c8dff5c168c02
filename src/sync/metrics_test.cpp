#include "sync/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::sync {
namespace {

using testing::HasSubstr;

const SystemTime noon(std::chrono::milliseconds(1'800'000'000'500));

TEST(RunMetrics, EverythingIsThereFromTheStart) {
    MetricsRegistry registry;
    const RunMetrics metrics(registry);
    const std::string page = registry.render();
    EXPECT_THAT(page, HasSubstr("rollcall_sync_runs_total{result=\"failed\",trigger=\"cron\"} 0"));
    EXPECT_THAT(page, HasSubstr("rollcall_sync_users_total{change=\"restored\"} 0"));
    EXPECT_THAT(page, HasSubstr("rollcall_sync_drift_users{kind=\"extra\"} 0"));
    EXPECT_THAT(page, HasSubstr("rollcall_sync_last_success_timestamp_seconds 0"));
    EXPECT_THAT(page, HasSubstr("rollcall_sync_deletes_blocked_total 0"));
}

TEST(RunMetrics, ACompletePassTellsTheDriftItFound) {
    MetricsRegistry registry;
    RunMetrics metrics(registry);
    RunSummary summary;
    summary.mode = RunMode::full;
    summary.status = RunStatus::completed;
    summary.created = 3;
    summary.held_deletes = 12;
    summary.found = {.missing = 3, .stale = 0, .extra = 12};
    metrics.ended(summary, RunTrigger::schedule, noon);
    const std::string page = registry.render();
    EXPECT_THAT(page,
                HasSubstr("rollcall_sync_runs_total{result=\"completed\",trigger=\"schedule\"} 1"));
    EXPECT_THAT(page, HasSubstr("rollcall_sync_users_total{change=\"created\"} 3"));
    EXPECT_THAT(page, HasSubstr("rollcall_sync_drift_users{kind=\"extra\"} 12"));
    EXPECT_THAT(page, HasSubstr("rollcall_sync_deletes_blocked_total 1"));
    EXPECT_THAT(page, HasSubstr("rollcall_sync_last_success_timestamp_seconds 1800000000.5"));
    metrics.deletion_held();
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_sync_deletes_blocked_total 2"));
}

TEST(RunMetrics, AFailedRunIsNoSuccess) {
    MetricsRegistry registry;
    RunMetrics metrics(registry);
    RunSummary summary;
    summary.mode = RunMode::full;
    summary.status = RunStatus::failed;
    summary.found.missing = 5;
    metrics.ended(summary, RunTrigger::cli, noon);
    const std::string page = registry.render();
    EXPECT_THAT(page, HasSubstr("rollcall_sync_last_success_timestamp_seconds 0"));
    EXPECT_THAT(page, HasSubstr("rollcall_sync_drift_users{kind=\"missing\"} 0"));
    EXPECT_THAT(page, HasSubstr("rollcall_sync_runs_total{result=\"failed\",trigger=\"cli\"} 1"));
}

TEST(RunMetrics, WhoTakesTheDutyShowsWhatOthersHaveFound) {
    MetricsRegistry registry;
    RunMetrics metrics(registry);
    metrics.known(noon, {.missing = 0, .stale = 4, .extra = 0});
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_sync_drift_users{kind=\"stale\"} 4"));
    EXPECT_THAT(registry.render(),
                HasSubstr("rollcall_sync_last_success_timestamp_seconds 1800000000.5"));
    metrics.known(std::nullopt, {});
    EXPECT_THAT(registry.render(), HasSubstr("rollcall_sync_drift_users{kind=\"stale\"} 0"));
    EXPECT_THAT(registry.render(),
                HasSubstr("rollcall_sync_last_success_timestamp_seconds 1800000000.5"));
}

}  // namespace
}  // namespace rollcall::sync
