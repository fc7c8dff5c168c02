// A user that Clerk does not know is deleted neither at once, nor by a key of another instance, nor
// with too many others.
#include "sync_fixture.hpp"

namespace rollcall::sync {
namespace {

using testing::HasSubstr;

class SyncAbsence : public SyncTest {
protected:
    // Asked in a later millisecond than what went before.
    jobs::Outcome refreshed(const std::string& id) {
        later();
        jobs::Job job;
        job.subject = id;
        return run(refresh->handle(job));
    }
    void five_seconds_pass() const {
        sql("UPDATE rollcall.absences SET first_seen_at = first_seen_at - interval '5 seconds'");
        sql("UPDATE rollcall.ledger SET lifted_at = lifted_at - interval '5 seconds'");
    }
    static jobs::Retry retry_of(const jobs::Outcome& outcome) {
        const auto* retry = std::get_if<jobs::Retry>(&outcome);
        return retry != nullptr ? *retry : jobs::Retry{};
    }
};

TEST_F(SyncAbsence, IsLookedAtOnceMoreSecondsLater) {
    somebody_known();
    tell({.clerk_id = "user_a", .version = 1000});
    for (int i = 0; i < 2; ++i) {
        const auto first = retry_of(refreshed("user_a"));
        EXPECT_FALSE(first.burns_attempt);
        EXPECT_EQ(first.delay, std::chrono::seconds(5));
        EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
    }
    five_seconds_pass();
    EXPECT_TRUE(std::holds_alternative<jobs::Completed>(refreshed("user_a")));
    EXPECT_EQ(row("user_a"), "Ann|-|user|deleted");
    EXPECT_TRUE(std::holds_alternative<jobs::Completed>(refreshed("user_a")));
}

TEST_F(SyncAbsence, CountsFromAnewWhenTheUserWasSeenMeanwhile) {
    somebody_known();
    tell({.clerk_id = "user_a", .version = 1000});
    refreshed("user_a");
    five_seconds_pass();
    clerk.has("user_a", 1000);
    EXPECT_TRUE(std::holds_alternative<jobs::Completed>(refreshed("user_a")));
    clerk.users.erase("user_a");
    EXPECT_FALSE(retry_of(refreshed("user_a")).burns_attempt);
    EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
}

TEST_F(SyncAbsence, BeginsNowWhenTheClockWasSetBack) {
    somebody_known();
    tell({.clerk_id = "user_a", .version = 1000});
    refreshed("user_a");
    sql("UPDATE rollcall.absences SET first_seen_at = first_seen_at + interval '1 hour'");
    EXPECT_EQ(retry_of(refreshed("user_a")).delay, std::chrono::seconds(5));
    five_seconds_pass();
    EXPECT_TRUE(std::holds_alternative<jobs::Completed>(refreshed("user_a")));
    EXPECT_EQ(row("user_a"), "Ann|-|user|deleted");
}

TEST_F(SyncAbsence, OfAUserWhoCameBackIsConcludedOnceMore) {
    somebody_known();
    for (int i = 0; i < 2; ++i) {
        clerk.has("user_a", 1000);
        EXPECT_TRUE(std::holds_alternative<jobs::Completed>(refreshed("user_a")));
        EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
        clerk.users.erase("user_a");
        EXPECT_EQ(retry_of(refreshed("user_a")).delay, std::chrono::seconds(5));
        five_seconds_pass();
        EXPECT_TRUE(std::holds_alternative<jobs::Completed>(refreshed("user_a")));
        EXPECT_EQ(row("user_a"), "Ann|-|user|deleted");
    }
    // The guard counts both.
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.absences WHERE concluded_at IS NOT NULL"), "2");
}

TEST_F(SyncAbsence, FromBeforeTheUserCameBackDoesNotCount) {
    somebody_known();
    tell({.clerk_id = "user_a", .version = 1000});
    refreshed("user_a");
    five_seconds_pass();
    tell({.clerk_id = "user_a", .version = 2000, .deletion = true});
    EXPECT_TRUE(read({.clerk_id = "user_a", .version = 1000}).restored);  // as a pass does
    EXPECT_EQ(retry_of(refreshed("user_a")).delay, std::chrono::seconds(5));
    EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
}

TEST_F(SyncAbsence, OfAnOldDeletionEventIsFoundByAskingClerk) {
    somebody_known();
    tell({.clerk_id = "user_a", .version = 1000});
    tell({.clerk_id = "user_a", .version = 2000, .deletion = true});
    clerk.has("user_a", 1000);
    refreshed("user_a");
    EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
    // Clerk's clock is behind: it stamps the deletion with a time from before the read.
    clerk.users.erase("user_a");
    enqueue({.clerk_id = "user_a", .version = 3000, .deletion = true});
    work();
    const std::string asked =
        sql("SELECT subject FROM job_queue WHERE job_type = 'REFRESH_USER' AND status = 'PENDING'");
    ASSERT_EQ(asked, "user_a");
    refreshed(asked);
    five_seconds_pass();
    refreshed(asked);
    EXPECT_EQ(row("user_a"), "Ann|-|user|deleted");
}

TEST_F(SyncAbsence, SaysNothingWithAKeyThatKnowsNobodyOfOurs) {
    for (const char* id : {"user_a", "user_b", "user_c"}) tell({.clerk_id = id, .version = 1000});
    clerk.has("user_elsewhere", 1);
    for (int i = 0; i < 2; ++i) {
        const auto waits = retry_of(refreshed("user_a"));
        EXPECT_FALSE(waits.burns_attempt);
        EXPECT_THAT(waits.reason, HasSubstr("of another instance"));
        five_seconds_pass();
    }
    EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.absences"), "0");
}

// Polling has filled this database from one instance; that a user is known says nothing then.
TEST_F(SyncAbsence, IsBelievedOnlyFromTheInstanceThatIsKept) {
    somebody_known();
    tell({.clerk_id = "user_a", .version = 1000});
    sql("UPDATE rollcall.sync_state SET instance_id = 'ins_ours'");
    clerk.instance_id = "ins_theirs";
    EXPECT_THAT(retry_of(refreshed("user_a")).reason, HasSubstr("of another instance"));
    EXPECT_EQ(clerk.asked["user_known"], 0);
    clerk.instance_id = "ins_ours";
    EXPECT_EQ(retry_of(refreshed("user_a")).delay, std::chrono::seconds(5));
    EXPECT_EQ(clerk.asked["user_known"], 0);
}

TEST_F(SyncAbsence, KeepsTheInstanceOfTheFirstKeyThatKnowsUsers) {
    const char* const kept = "SELECT instance_id FROM rollcall.sync_state";
    tell({.clerk_id = "user_a", .version = 1000});
    clerk.instance_id = "ins_ours";
    EXPECT_THAT(retry_of(refreshed("user_a")).reason, HasSubstr("of another instance"));
    EXPECT_EQ(sql(kept), "");
    somebody_known();
    EXPECT_EQ(retry_of(refreshed("user_a")).delay, std::chrono::seconds(5));
    EXPECT_EQ(sql(kept), "ins_ours");
}

TEST_F(SyncAbsence, IsHeldBackBeyondTheGuardThatWasSet) {
    refresh =
        std::make_unique<Refresh>(pool, *directory, clerk, DeletionGuard{.users = 1, .ratio = 0});
    somebody_known();
    for (const char* id : {"user_a", "user_b"}) {
        tell({.clerk_id = id, .version = 1000});
        refreshed(id);
    }
    five_seconds_pass();
    EXPECT_TRUE(std::holds_alternative<jobs::Completed>(refreshed("user_a")));
    EXPECT_THAT(retry_of(refreshed("user_b")).reason, HasSubstr("Deletion held back"));
    EXPECT_EQ(row("user_b"), "Ann|-|user|alive");
    const char* const held =
        "SELECT string_agg(clerk_id, ' ') FROM rollcall.absences WHERE held_at IS NOT NULL";
    EXPECT_EQ(sql(held), "user_b");
    clerk.has("user_b", 1000);
    refreshed("user_b");
    EXPECT_EQ(sql(held), "");
}

TEST_F(SyncAbsence, IsHeldBackWhenTooManyWentWithinTheHour) {
    somebody_known();
    for (int i = 0; i < 11; ++i) {
        const std::string id = fmt::format("user_{}", i);
        tell({.clerk_id = id, .version = 1000});
        refreshed(id);
    }
    five_seconds_pass();
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(std::holds_alternative<jobs::Completed>(refreshed(fmt::format("user_{}", i))));
    }
    const auto held = retry_of(refreshed("user_10"));
    EXPECT_FALSE(held.burns_attempt);
    EXPECT_THAT(held.reason, HasSubstr("Deletion held back"));
    EXPECT_EQ(row("user_10"), "Ann|-|user|alive");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.ledger WHERE deleted_at IS NOT NULL"), "10");
    sql("UPDATE rollcall.absences SET concluded_at = concluded_at - interval '1 hour'");
    EXPECT_TRUE(std::holds_alternative<jobs::Completed>(refreshed("user_10")));
    EXPECT_EQ(row("user_10"), "Ann|-|user|deleted");
}

TEST_F(SyncAbsence, AnEventDeletesWhoeverItNames) {
    for (int i = 0; i < 12; ++i) tell({.clerk_id = fmt::format("user_{}", i), .version = 1000});
    for (int i = 0; i < 12; ++i) {
        enqueue({.clerk_id = fmt::format("user_{}", i), .version = 2000, .deletion = true});
    }
    EXPECT_EQ(work(), 12);
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE deleted_at IS NOT NULL"), "12");
}

}  // namespace
}  // namespace rollcall::sync
