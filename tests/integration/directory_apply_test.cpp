// The rules of docs/directory.md, one by one.
#include "directory_fixture.hpp"

#include <set>

namespace rollcall::directory {
namespace {

using testing::ElementsAre;

class DirectoryApply : public DirectoryTest {};

TEST_F(DirectoryApply, EveryStatementCanBePrepared) {
    for (const auto& [name, text] : directory->statements()) {
        if (text.empty()) continue;
        EXPECT_NO_THROW(sql("PREPARE s AS " + text)) << name;
    }
}

TEST_F(DirectoryApply, CreatesTheRow) {
    EXPECT_EQ(tell({.email = "a@example.com", .role = "admin"}, "USER_CREATED"), Outcome::applied);
    EXPECT_EQ(row(), "Ann|a@example.com|admin|alive");
    EXPECT_EQ(sql("SELECT l.user_id = u.id AND l.version = 1000 FROM rollcall.ledger l "
                  "JOIN users u USING (clerk_id)"),
              "t");
    EXPECT_EQ(sql("SELECT status || attempts || (processed_at IS NOT NULL) FROM job_queue"),
              "COMPLETED1true");
}

// What a crash of the server takes back is due again, so nobody waits for the disk.
TEST_F(DirectoryApply, ABatchOfJobsIsFlushedLater) {
    db.note_commits("UPDATE");
    tell({.email = "a@example.com"});
    EXPECT_EQ(sql("SELECT string_agg(DISTINCT setting, ' ') FROM commits"), "off");
}

TEST_F(DirectoryApply, TimesOfTheRowAreItsOwnAndInUtc) {
    tell({.email = "a@example.com"});
    for (const char* column : {R"("createdAt" AT TIME ZONE 'UTC')", "created_at",
                               R"("updatedAt" AT TIME ZONE 'UTC')", "updated_at"}) {
        EXPECT_EQ(
            sql(fmt::format("SELECT abs(extract(epoch FROM {} - now())) < 60 FROM users", column)),
            "t")
            << column;
    }
}

TEST_F(DirectoryApply, NewerReplacesOlderNever) {
    tell({.version = 2000, .name = "New"});
    EXPECT_EQ(tell({.version = 1000, .name = "Old"}), Outcome::superseded);
    EXPECT_EQ(row(), "New|-|user|alive");
    EXPECT_EQ(tell({.version = 3000, .name = std::nullopt}), Outcome::applied);
    EXPECT_EQ(row(), "-|-|user|alive");
}

TEST_F(DirectoryApply, UnchangedRowIsNotWritten) {
    tell({.version = 1000});
    const std::string before = sql("SELECT xmin || ' ' || updated_at FROM users");
    EXPECT_EQ(tell({.version = 1000}), Outcome::unchanged);
    EXPECT_EQ(tell({.version = 2000}), Outcome::applied);  // newer, and says the same
    EXPECT_EQ(sql("SELECT xmin || ' ' || updated_at FROM users"), before);
    EXPECT_EQ(sql("SELECT version FROM rollcall.ledger"), "2000");
}

TEST_F(DirectoryApply, ChangedRowKeepsItsBirth) {
    tell({.version = 1000});
    sql(R"(UPDATE users SET created_at = '2020-01-01Z', "createdAt" = '2020-01-01',
           updated_at = '2020-01-01Z', "updatedAt" = '2020-01-01')");
    tell({.version = 2000, .name = "Bea"});
    EXPECT_EQ(sql(R"(SELECT created_at = '2020-01-01Z' AND "createdAt" = '2020-01-01'
                     AND updated_at > '2021-01-01Z' AND "updatedAt" > '2021-01-01' FROM users)"),
              "t");
}

TEST_F(DirectoryApply, ColumnsOfTheApplicationAreLeftAlone) {
    sql("ALTER TABLE users ADD COLUMN tasks int NOT NULL DEFAULT 7");
    tell({.version = 1000});
    sql(R"(UPDATE users SET preferences = '{"theme": "dark"}', medical_profile = NULL, tasks = 9)");
    tell({.version = 2000, .name = "Bea"});
    tell({.version = 3000, .deletion = true});
    read({.version = 4000, .name = "Cy"});
    EXPECT_EQ(sql("SELECT concat_ws('|', preferences, medical_profile IS NULL, tasks) FROM users"),
              R"({"theme": "dark"}|t|9)");
}

TEST_F(DirectoryApply, DeletionIsSoftAndLetsTheEmailGo) {
    tell({.email = "a@example.com", .role = "admin"});
    const std::string id = sql("SELECT id FROM users");
    EXPECT_EQ(tell({.version = 1'700'000'000'123, .deletion = true}), Outcome::deleted);
    EXPECT_EQ(row(), "Ann|-|admin|deleted");
    EXPECT_EQ(sql("SELECT id FROM users"), id);
    EXPECT_EQ(sql("SELECT extract(epoch FROM deleted_at)::numeric(16,3) FROM users"),
              "1700000000.123");
    EXPECT_EQ(tell({.version = 1'700'000'000'123, .deletion = true}), Outcome::unchanged);
}

TEST_F(DirectoryApply, DeletionOfAnUnknownUserLeavesATombstoneOnly) {
    EXPECT_EQ(tell({.deletion = true}), Outcome::deleted);
    EXPECT_EQ(row(), "");
    EXPECT_EQ(sql("SELECT deleted_at IS NOT NULL AND version IS NULL FROM rollcall.ledger"), "t");
}

TEST_F(DirectoryApply, NothingButAReadRevives) {
    tell({.version = 5000, .deletion = true});
    EXPECT_EQ(tell({.version = 9000, .email = "a@example.com"}), Outcome::applied);
    EXPECT_EQ(row(), "Ann|-|user|deleted");
    const auto lifted = read({.version = 9000, .email = "a@example.com"});
    EXPECT_EQ(lifted.outcome, Outcome::applied);
    EXPECT_TRUE(lifted.restored);
    EXPECT_EQ(row(), "Ann|a@example.com|user|alive");
}

TEST_F(DirectoryApply, AReadFromBeforeTheDeletionDoesNotRevive) {
    tell({.version = 1000, .email = "a@example.com"});
    const SystemTime before = run(database_now(pool)) - 1s;
    tell({.version = 5000, .deletion = true});
    EXPECT_FALSE(read({.version = 9000, .email = "a@example.com"}, before).restored);
    EXPECT_EQ(row(), "Ann|-|user|deleted");
}

// What is known was learned an hour ahead then; a read from before the clock was set back is dated
// ahead too.
TEST_F(DirectoryApply, ClerkIsBelievedThoughTheClockWasSetBack) {
    const auto set_back = [this] {
        sql("UPDATE rollcall.ledger SET changed_at = changed_at + interval '1 hour', "
            "deletion_seen_at = deletion_seen_at + interval '1 hour'");
    };
    tell({.version = 1000, .email = "a@example.com"});
    set_back();
    const SystemTime before = later() + 59min;
    EXPECT_EQ(read({.deletion = true}, before).outcome, Outcome::tie);
    EXPECT_EQ(read({.version = 1000, .name = "Bea"}, before).outcome, Outcome::tie);
    EXPECT_EQ(row(), "Ann|a@example.com|user|alive");
    EXPECT_EQ(read({.version = 1000, .name = "Bea"}).outcome, Outcome::applied);
    set_back();
    EXPECT_EQ(read({.deletion = true}).outcome, Outcome::deleted);
    set_back();
    EXPECT_FALSE(read({.version = 1000, .name = "Bea"}, before).restored);
    EXPECT_TRUE(read({.version = 1000, .name = "Bea"}).restored);
    EXPECT_EQ(row(), "Bea|-|user|alive");
}

TEST_F(DirectoryApply, ARowThatSomebodyMarkedAsDeletedIsNotRevivedByAnEvent) {
    tell({.version = 1000, .email = "a@example.com"});
    sql("UPDATE users SET deleted_at = now(), email = NULL");
    tell({.version = 2000, .email = "a@example.com", .name = "Bea"});
    EXPECT_EQ(row(), "Bea|-|user|deleted");
    read({.version = 2000, .email = "a@example.com", .name = "Bea"});
    EXPECT_EQ(row(), "Bea|a@example.com|user|alive");
}

TEST_F(DirectoryApply, AReadRepairsWhatAHandChanged) {
    tell({.version = 1000, .email = "a@example.com"});
    sql("UPDATE users SET name = 'Mallory', role = 'admin'");
    EXPECT_EQ(tell({.version = 1000, .email = "a@example.com"}), Outcome::unchanged);
    EXPECT_EQ(read({.version = 1000, .email = "a@example.com"}).outcome, Outcome::applied);
    EXPECT_EQ(row(), "Ann|a@example.com|user|alive");
    sql("DELETE FROM users");
    const auto again = read({.version = 1000, .email = "a@example.com"});
    EXPECT_TRUE(again.created);
    EXPECT_EQ(row(), "Ann|a@example.com|user|alive");
}

TEST_F(DirectoryApply, AReadThatSaysNothingNewWritesAndLocksNothing) {
    tell({.version = 1000, .email = "a@example.com"});
    const std::string all =
        "SELECT (SELECT xmin || ' ' || xmax FROM users) || ' ' || "
        "(SELECT xmin || ' ' || xmax FROM rollcall.ledger)";
    const std::string before = sql(all);
    EXPECT_EQ(read({.version = 1000, .email = "a@example.com"}).outcome, Outcome::unchanged);
    EXPECT_EQ(sql(all), before);
}

TEST_F(DirectoryApply, AnOvertakenReadLoses) {
    const SystemTime before = run(database_now(pool)) - 1s;
    tell({.version = 2000, .name = "Event"});
    EXPECT_EQ(read({.version = 1000, .name = "Read"}).outcome, Outcome::superseded);
    EXPECT_EQ(read({.version = 2000, .name = "Read"}, before).outcome, Outcome::tie);
    EXPECT_EQ(read({.deletion = true}, before).outcome, Outcome::tie);
    EXPECT_EQ(row(), "Event|-|user|alive");
    EXPECT_EQ(read({.version = 2000, .name = "Read"}).outcome, Outcome::applied);
    EXPECT_EQ(row(), "Read|-|user|alive");
    EXPECT_EQ(read({.deletion = true}).outcome, Outcome::deleted);
    EXPECT_EQ(row(), "Read|-|user|deleted");
}

// fault 6
TEST_F(DirectoryApply, ATieKeepsWhatIsThereAndAsksOnce) {
    tell({.version = 1000, .name = "First"});
    EXPECT_EQ(tell({.version = 1000, .name = "Second"}), Outcome::tie);
    EXPECT_EQ(tell({.version = 1000, .name = "Third"}), Outcome::tie);
    EXPECT_EQ(row(), "First|-|user|alive");
    EXPECT_EQ(sql("SELECT string_agg(job_type || ' ' || subject || ' ' || status || ' ' || "
                  "(payload ->> 'clerk_id'), ',') FROM job_queue WHERE job_type = 'REFRESH_USER'"),
              "REFRESH_USER user_a PENDING user_a");
    EXPECT_EQ(read({.version = 1000, .name = "Second"}).outcome, Outcome::applied);
    EXPECT_EQ(row(), "Second|-|user|alive");
}

TEST_F(DirectoryApply, AnAskedTieIsAskedAgainWhenItComesBack) {
    tell({.version = 1000, .name = "First"});
    tell({.version = 1000, .name = "Second"});
    sql("UPDATE job_queue SET status = 'COMPLETED' WHERE job_type = 'REFRESH_USER'");
    tell({.version = 1000, .name = "Second"});
    EXPECT_EQ(sql("SELECT status FROM job_queue WHERE job_type = 'REFRESH_USER'"), "PENDING");
}

TEST_F(DirectoryApply, ATieWhileClerkIsBeingAskedIsAskedAfterwards) {
    tell({.version = 1000, .name = "First"});
    tell({.version = 1000, .name = "Second"});
    sql("UPDATE job_queue SET status = 'PROCESSING', fence = 1, leased_by = 'somebody', "
        "lease_until = now() + interval '1 minute' WHERE job_type = 'REFRESH_USER'");
    EXPECT_EQ(tell({.version = 1000, .name = "Third"}), Outcome::tie);
    EXPECT_EQ(sql("SELECT status || coalesce(leased_by, '-') || coalesce(lease_until::text, '-') "
                  "FROM job_queue WHERE job_type = 'REFRESH_USER'"),
              "PENDING--");
}

TEST_F(DirectoryApply, ATieWithinOneBatchIsAskedToo) {
    enqueue({.version = 1000, .name = "First"});
    enqueue({.version = 1000, .name = "First"});
    enqueue({.version = 1000, .name = "Second"});
    drain();
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE job_type = 'REFRESH_USER'"), "1");
}

TEST_F(DirectoryApply, BannedAndLockedStandInTheLedger) {
    tell({.version = 1000, .banned = true});
    EXPECT_EQ(sql("SELECT banned FROM rollcall.ledger"), "t");
    EXPECT_EQ(tell({.version = 2000, .banned = false}), Outcome::applied);
    EXPECT_EQ(sql("SELECT banned FROM rollcall.ledger"), "f");
}

TEST_F(DirectoryApply, OneBatchMayHoldAWholeLife) {
    enqueue({.version = 1000, .email = "a@example.com", .name = "One"}, "USER_CREATED");
    enqueue({.version = 3000, .email = "c@example.com", .name = "Three"});
    enqueue({.version = 2000, .email = "b@example.com", .name = "Two"});
    enqueue({.clerk_id = "user_b", .version = 500});
    EXPECT_EQ(std::ranges::count(drain(), Outcome::applied), 3);  // one batch for each priority
    EXPECT_EQ(row(), "Three|c@example.com|user|alive");
    EXPECT_EQ(row("user_b"), "Ann|-|user|alive");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status <> 'COMPLETED'"), "0");
}

TEST_F(DirectoryApply, RolesThatAreNotConfiguredAreTheDefault) {
    tell({.version = 1000, .role = "superuser"});
    EXPECT_EQ(row(), "Ann|-|user|alive");
}

TEST_F(DirectoryApply, JobsOfApplicationsNeedOnlyAPayload) {
    sql(R"(INSERT INTO job_queue (job_type, payload) VALUES
           ('USER_CREATED', '{"clerk_id": "user_sql", "email": "s@example.com", "name": "Sue",
                              "user_role": "boss"}'))");
    drain();
    EXPECT_EQ(row("user_sql"), "Sue|s@example.com|user|alive");
    EXPECT_EQ(sql("SELECT l.version = floor(extract(epoch FROM j.created_at) * 1000) "
                  "FROM rollcall.ledger l, job_queue j"),
              "t");
}

TEST_F(DirectoryApply, JobsThatNameNoUserFailWithAReason) {
    for (const char* payload : {"{}", "[]", "7", R"({"clerk_id": ""})", R"({"clerk_id": "NULL"})",
                                R"({"clerk_id": null})"}) {
        sql(fmt::format("INSERT INTO job_queue (job_type, payload) VALUES ('USER_UPDATED', '{}')",
                        payload));
    }
    sql("INSERT INTO job_queue (job_type, error) VALUES ('USER_DELETED', 'Unusable event: x')");
    EXPECT_EQ(drain(), std::vector<Outcome>(7, Outcome::unusable));
    EXPECT_EQ(sql("SELECT string_agg(DISTINCT status || ' ' || error || ' ' || attempts, ',' ) "
                  "FROM job_queue"),
              "FAILED Unusable event: x 1,"
              "FAILED Unusable job: payload.clerk_id names no user 1");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE history -> -1 ->> 'status' = 'FAILED'"),
              "7");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.ledger"), "0");
}

TEST_F(DirectoryApply, AnEmailThatIsTakenLeavesTheJobForLater) {
    tell({.clerk_id = "user_a", .email = "x@example.com"});
    enqueue({.clerk_id = "user_b", .email = "x@example.com"});
    enqueue({.clerk_id = "user_c", .email = "c@example.com"});
    EXPECT_THAT(drain(), testing::UnorderedElementsAre(Outcome::conflict, Outcome::applied));
    EXPECT_EQ(row("user_b"), "");
    EXPECT_EQ(row("user_c"), "Ann|c@example.com|user|alive");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'PENDING' AND attempts = 0 "
                  "AND run_at > now()"),
              "1");
}

TEST_F(DirectoryApply, OneAddressTwiceInABatchGoesToOneUser) {
    enqueue({.clerk_id = "user_b", .email = "x@example.com"});
    enqueue({.clerk_id = "user_a", .email = "x@example.com"});
    enqueue({.clerk_id = "user_a", .email = "x@example.com"});
    const auto outcomes = drain();
    EXPECT_EQ(std::ranges::count(outcomes, Outcome::conflict), 1);
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "1");
}

TEST_F(DirectoryApply, AReplayOfAnOldEventIsNoConflict) {
    tell({.clerk_id = "user_a", .version = 1000, .email = "x@example.com"});
    tell({.clerk_id = "user_a", .version = 2000, .email = "y@example.com"});
    tell({.clerk_id = "user_b", .version = 1500, .email = "x@example.com"});
    EXPECT_EQ(tell({.clerk_id = "user_a", .version = 1000, .email = "x@example.com"}),
              Outcome::superseded);
    tell({.clerk_id = "user_c", .version = 1000, .deletion = true});
    EXPECT_EQ(tell({.clerk_id = "user_c", .version = 900, .email = "x@example.com"}),
              Outcome::applied);
    EXPECT_EQ(row("user_c"), "Ann|-|user|deleted");
}

TEST_F(DirectoryApply, GoesOnAfterThePositionReached) {
    config.batch = 2;
    open();
    for (int i = 0; i < 5; ++i) enqueue({.clerk_id = fmt::format("user_{}", i)});
    // As one statement would have enqueued them: one created_at.
    sql("UPDATE job_queue SET created_at = '2026-01-01Z', run_at = '2026-01-01Z'");
    ClaimPosition at{.priority = 1};
    std::set<std::string> seen;
    for (const int expected : {2, 2, 1, 0}) {
        const auto batch = run(directory->apply_due(pool, at));
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->size(), expected);
        for (int i = 0; i < batch->size(); ++i) seen.emplace((*batch)[i].clerk_id);
        if (const auto last = batch->last(1)) at = *last;
    }
    EXPECT_EQ(seen.size(), 5);
    EXPECT_EQ(at.at_us, 1'767'225'600'000'000);
}

TEST_F(DirectoryApply, ScheduledJobsAreTakenWhenTheirTimeHasCome) {
    enqueue({.clerk_id = "user_a"});
    enqueue({.clerk_id = "user_b"});
    sql("UPDATE job_queue SET run_at = now() + CASE subject WHEN 'user_a' THEN interval '1 hour' "
        "ELSE interval '1 microsecond' END, created_at = created_at - interval '1 second'");
    EXPECT_EQ(drain().size(), 0);
    const auto ids = run(directory->scheduled_ids(pool));
    EXPECT_EQ(ids.size(), 1);
    const auto batch = run(directory->apply_scheduled(pool));
    ASSERT_TRUE(batch);
    ASSERT_EQ(batch->size(), 1);
    EXPECT_EQ((*batch)[0].clerk_id, "user_b");
    EXPECT_GT((*batch)[0].ready_at, 1.7e9);
}

TEST_F(DirectoryApply, ARowOfTheApplicationKeepsItsId) {
    // Inserted by the application, with its Clerk id, before rollcall heard of the user.
    sql(R"(INSERT INTO users (clerk_id, name, "updatedAt") VALUES ('user_a', 'Ann', now()))");
    const std::string id = sql("SELECT id FROM users");
    tell({.version = 1000});
    EXPECT_EQ(sql("SELECT id FROM users"), id);
    EXPECT_EQ(sql("SELECT user_id FROM rollcall.ledger"), id);
}

TEST_F(DirectoryApply, AHigherVersionOfAStrangerIsBounded) {
    EXPECT_EQ(tell({.version = 9'223'372'036'854'775'807}), Outcome::applied);
    EXPECT_EQ(tell({.version = 0, .name = "Zero"}), Outcome::superseded);
}

}  // namespace
}  // namespace rollcall::directory
