#include "gate/standing_verdict.hpp"

#include <gtest/gtest.h>
#include <chrono>

namespace rollcall::gate {
namespace {

using namespace std::chrono_literals;

const Demand protected_rule{};
const Demand admin_rule{.admin = true, .max_staleness = std::nullopt};

Caller known() {
    Caller caller;
    caller.standing.user_id = "0190f3c1-0000-7000-8000-000000000001";
    caller.standing.role = "user";
    caller.standing.listed = true;
    return caller;
}

std::string_view verdict(const Caller& caller, const Demand& demand = protected_rule) {
    const auto refusal = judge_standing(caller, demand);
    return refusal ? to_string(*refusal) : "allowed";
}

TEST(JudgeStanding, AllowsAKnownUser) {
    EXPECT_EQ(verdict(known()), "allowed");
}

TEST(JudgeStanding, NobodyIsWhoHasNoRow) {
    EXPECT_EQ(verdict(Caller{}), "user_unknown");
    Caller listed;
    listed.standing.listed = true;
    EXPECT_EQ(verdict(listed), "user_unknown");
}

TEST(JudgeStanding, RefusesTheDeletedTheBannedTheLockedAndEndedSessions) {
    Caller caller = known();
    caller.standing.deleted = true;
    EXPECT_EQ(verdict(caller), "user_deleted");
    caller.standing.user_id.clear();  // of a hard deletion
    EXPECT_EQ(verdict(caller), "user_deleted");
    caller = known();
    caller.standing.banned = true;
    EXPECT_EQ(verdict(caller), "user_banned");
    caller = known();
    caller.standing.locked = true;
    EXPECT_EQ(verdict(caller), "user_banned");
    caller.standing.revoked_for = 0;
    EXPECT_EQ(verdict(caller), "session_revoked");
}

TEST(JudgeStanding, AdminIsTheRoleOfTheRowConfirmed) {
    Caller caller = known();
    EXPECT_EQ(verdict(caller, admin_rule), "not_admin");
    caller.standing.role = "Admin";
    EXPECT_EQ(verdict(caller, admin_rule), "not_admin");
    caller.standing.role = "admin";
    EXPECT_EQ(verdict(caller, admin_rule), "allowed");
    caller.confirmed = false;
    EXPECT_EQ(verdict(caller, admin_rule), "policy_error");
    EXPECT_EQ(verdict(caller), "allowed");
}

TEST(JudgeStanding, AStaleTableIsRefusedWhereTheRuleSaysSo) {
    const Demand demand{.admin = false, .max_staleness = 10min};
    Caller caller = known();
    EXPECT_EQ(verdict(caller, demand), "sync_stale");  // nobody knows
    caller.sync_age = 10min;
    EXPECT_EQ(verdict(caller, demand), "allowed");
    caller.sync_age = 10min + 1ms;
    EXPECT_EQ(verdict(caller, demand), "sync_stale");
    EXPECT_EQ(verdict(caller), "allowed");
}

}  // namespace
}  // namespace rollcall::gate
