#include "http/address_guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class AddressGuardTest : public testing::Test {
protected:
    void guard(const GuardConfig& config) { guard_.emplace(config, clock_, metrics_); }

    // 0: let through; else the seconds of Retry-After.
    static int wait(const std::optional<Response>& response) {
        if (!response) return 0;
        EXPECT_EQ(response->status, 429U);
        EXPECT_EQ(response->body, R"({"error":"Too Many Requests"})");
        return std::stoi(std::string(response->headers.get("Retry-After").value_or("-1")));
    }
    void expect_refused(const std::string& reason, int count) const {
        EXPECT_THAT(metrics_.render(),
                    HasSubstr("rollcall_http_refused_total{listener=\"public\",reason=\"" + reason +
                              "\"} " + std::to_string(count) + "\n"));
    }

    ManualClock clock_{SystemTime(seconds(1'700'000'000))};
    MetricsRegistry metrics_;
    std::optional<AddressGuard> guard_;
};

TEST_F(AddressGuardTest, SlowsTheAddressThatFailsAndNoOther) {
    guard({.failures_per_minute = 6, .failures_burst = 2, .requests_per_second = 0});
    EXPECT_EQ(wait(guard_->failed("192.0.2.1")), 0);
    EXPECT_EQ(wait(guard_->failed("192.0.2.1")), 0);
    EXPECT_EQ(wait(guard_->failed("192.0.2.1")), 10);
    EXPECT_EQ(wait(guard_->failed("192.0.2.2")), 0);
    clock_.advance(milliseconds(9'500));
    EXPECT_EQ(wait(guard_->failed("192.0.2.1")), 1);
    clock_.advance(milliseconds(500));
    EXPECT_EQ(wait(guard_->failed("192.0.2.1")), 0);
    expect_refused("address_limit", 2);
    expect_refused("overall_limit", 0);
}

TEST_F(AddressGuardTest, TakesOneCustomersNetworkForOneAddress) {
    guard({.failures_per_minute = 6, .failures_burst = 1});
    EXPECT_EQ(wait(guard_->failed("2001:db8:1:2::1")), 0);
    EXPECT_EQ(wait(guard_->failed("2001:db8:1:2:ffff::9")), 10);
    EXPECT_EQ(wait(guard_->failed("2001:db8:1:3::1")), 0);
}

TEST_F(AddressGuardTest, LimitsTheRestOverAll) {
    guard({.failures_burst = 2, .requests_per_second = 0.5, .requests_burst = 3});
    EXPECT_EQ(wait(guard_->stray()), 0);
    EXPECT_EQ(wait(guard_->failed("192.0.2.1")), 0);
    EXPECT_EQ(wait(guard_->failed("192.0.2.2")), 0);
    EXPECT_EQ(wait(guard_->stray()), 2);
    EXPECT_EQ(wait(guard_->failed("192.0.2.3")), 2);
    expect_refused("overall_limit", 2);
    clock_.advance(seconds(2));
    EXPECT_EQ(wait(guard_->stray()), 0);
}

TEST_F(AddressGuardTest, WhatAnAddressSendsBeyondItsLimitUsesUpNothingOfOthers) {
    guard({.failures_burst = 1, .requests_per_second = 1, .requests_burst = 2});
    EXPECT_EQ(wait(guard_->failed("192.0.2.1")), 0);
    for (int i = 0; i < 1'000; ++i) EXPECT_GT(wait(guard_->failed("192.0.2.1")), 0);
    EXPECT_EQ(wait(guard_->failed("192.0.2.2")), 0);
    expect_refused("overall_limit", 0);
}

TEST_F(AddressGuardTest, LargeBodiesAreRefusedToAnAddressOverItsLimit) {
    guard({.failures_per_minute = 6, .failures_burst = 1});
    for (int i = 0; i < 10; ++i) EXPECT_EQ(wait(guard_->large("192.0.2.1")), 0);
    EXPECT_EQ(wait(guard_->failed("192.0.2.1")), 0);
    EXPECT_EQ(wait(guard_->large("192.0.2.1")), 10);
    EXPECT_EQ(wait(guard_->large("192.0.2.2")), 0);
    clock_.advance(seconds(10));  // and that took nothing
    EXPECT_EQ(wait(guard_->large("192.0.2.1")), 0);
}

TEST_F(AddressGuardTest, LimitsNothingWhenSwitchedOff) {
    guard({.failures_per_minute = 0, .requests_per_second = 0});
    for (int i = 0; i < 10'000; ++i) {
        EXPECT_FALSE(guard_->failed("192.0.2.1"));
        EXPECT_FALSE(guard_->stray());
    }
    EXPECT_FALSE(guard_->large("192.0.2.1"));
}

}  // namespace
}  // namespace rollcall::http
