#include "base/metrics.hpp"

#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <charconv>
#include <chrono>

namespace rollcall {
namespace {

using testing::HasSubstr;

double value_of(const std::string& page, const std::string& sample) {
    const auto at = page.find('\n' + sample + ' ');
    EXPECT_NE(at, std::string::npos) << sample;
    if (at == std::string::npos) return -1;
    return std::strtod(page.c_str() + at + sample.size() + 2, nullptr);
}

TEST(MetricsRegistry, RendersWhatWasCounted) {
    MetricsRegistry registry;
    auto& family = registry.counter("rollcall_things_total", "Things.");
    family.Add({{"kind", "a"}}).Increment(3);
    family.Add({{"kind", "b"}});
    registry.histogram("rollcall_wait_seconds", "Waits.").Add({}, wait_buckets()).Observe(0.02);
    const std::string page = registry.render();
    EXPECT_THAT(page, HasSubstr("# TYPE rollcall_things_total counter"));
    EXPECT_EQ(value_of(page, R"(rollcall_things_total{kind="a"})"), 3);
    EXPECT_EQ(value_of(page, R"(rollcall_things_total{kind="b"})"), 0);
    EXPECT_EQ(value_of(page, R"(rollcall_wait_seconds_bucket{le="0.025"})"), 1);
}

TEST(MetricsRegistry, WhatChangesByItselfIsLookedAtEachTime) {
    MetricsRegistry registry;
    auto& left = registry.gauge("rollcall_left", "Left.").Add({});
    registry.before_render([&left, n = 0]() mutable { left.Set(++n); });
    EXPECT_EQ(value_of(registry.render(), "rollcall_left"), 1);
    EXPECT_EQ(value_of(registry.render(), "rollcall_left"), 2);
}

TEST(MetricsRegistry, SameNameIsTheSameFamily) {
    MetricsRegistry registry;
    EXPECT_EQ(&registry.gauge("rollcall_x", "X."), &registry.gauge("rollcall_x", "X."));
}

TEST(MetricsRegistryDeathTest, SameNameWithOtherHelpOrTypeIsABug) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    MetricsRegistry registry;
    registry.gauge("rollcall_x", "X.");
    EXPECT_DEATH(registry.gauge("rollcall_x", "Y."), "metric registered twice");
    EXPECT_DEATH(registry.counter("rollcall_x", "X."), "metric registered twice");
}

TEST(MetricsRegistry, TellsOfTheProcess) {
    const MetricsRegistry registry;
    const std::string page = registry.render();
    EXPECT_GT(value_of(page, "process_resident_memory_bytes"), 1e6);
    EXPECT_GT(value_of(page, "process_virtual_memory_bytes"), 1e6);
    EXPECT_GE(value_of(page, "process_cpu_seconds_total"), 0);
    EXPECT_GT(value_of(page, "process_max_fds"), 10);
    const double now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    EXPECT_NEAR(value_of(page, "process_start_time_seconds"), now, 600);
}

TEST(MetricsRegistry, CountsOpenDescriptors) {
    const MetricsRegistry registry;
    const double before = value_of(registry.render(), "process_open_fds");
    const int descriptor = dup(2);
    EXPECT_EQ(value_of(registry.render(), "process_open_fds"), before + 1);
    close(descriptor);
    EXPECT_EQ(value_of(registry.render(), "process_open_fds"), before);
}

TEST(MetricsRegistry, CountsLogMessages) {
    const MetricsRegistry registry;
    const log::Capture capture;
    const double before =
        value_of(registry.render(), R"(rollcall_log_messages_total{level="warn"})");
    log::warn("something");
    EXPECT_EQ(value_of(registry.render(), R"(rollcall_log_messages_total{level="warn"})"),
              before + 1);
}

}  // namespace
}  // namespace rollcall
