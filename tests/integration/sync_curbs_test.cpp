// A ban, a lock or another role counts at once, also where the rest of what was said has to wait.
#include "sync_fixture.hpp"

namespace rollcall::sync {
namespace {

using directory::Told;
using testing::StartsWith;

class SyncCurbs : public SyncTest {
protected:
    // user_a has the address; user_b is an admin with one of their own. Nobody can be asked.
    void begin() {
        make(/*with_clerk=*/false);
        tell({.clerk_id = "user_a", .email = "x@example.com"});
        tell({.clerk_id = "user_b", .email = "b@example.com", .role = "admin"});
    }
    static Told wants(std::int64_t version = 2000) {
        return {.clerk_id = "user_b", .version = version, .email = "x@example.com"};
    }
    std::string conflict(const Told& told) {
        const std::string job = enqueue(told);
        work();
        return job;
    }
    // "version banned locked role" of user_b.
    std::string access() const {
        return sql(
            "SELECT concat_ws(' ', l.version, l.banned, l.locked, u.role) FROM rollcall.ledger l "
            "JOIN users u USING (clerk_id) WHERE l.clerk_id = 'user_b'");
    }
    void waits(const std::string& job) const {
        EXPECT_THAT(job_state(job), StartsWith("PENDING 0 E-mail conflict: "));
        EXPECT_THAT(row("user_b"), StartsWith("Ann|b@example.com|"));
    }
};

TEST_F(SyncCurbs, ABanDoesNotWaitForAnAddress) {
    begin();
    Told told = wants();
    told.banned = true;
    told.role = "admin";
    const std::string job = conflict(told);
    waits(job);
    EXPECT_EQ(access(), "1000 t f admin");
    // What is applied next says it all anew.
    tell({.clerk_id = "user_b", .version = 3000, .email = "b@example.com", .role = "admin"});
    EXPECT_EQ(access(), "3000 f f admin");
    pass_time();
    work();
    EXPECT_THAT(job_state(job), StartsWith("COMPLETED"));
    EXPECT_EQ(access(), "3000 f f admin");
}

TEST_F(SyncCurbs, ALockDoesNotWaitForAnAddress) {
    begin();
    const std::string job = enqueue({wants()});
    sql("UPDATE rollcall.ledger SET banned = true WHERE clerk_id = 'user_b'");
    sql("UPDATE job_queue SET locked = true WHERE id = '" + job + "'");
    work();
    waits(job);
    EXPECT_EQ(access(), "1000 t t user");  // nobody is let in by it
}

TEST_F(SyncCurbs, AnotherRoleDoesNotWaitForAnAddress) {
    begin();
    waits(conflict(wants()));
    EXPECT_EQ(access(), "1000 f f user");
    Told told = wants(2500);
    told.role = "admin";
    const std::string job = conflict(told);
    EXPECT_EQ(access(), "1000 f f admin");
    EXPECT_EQ(sql("SELECT concat_ws(' ', detail ->> 'role', detail ->> 'previous', "
                  "detail ->> 'job') FROM rollcall.audit_log WHERE action = 'role.granted' "
                  "AND target = 'user_b' ORDER BY id DESC LIMIT 1"),
              "admin user " + job);
}

TEST_F(SyncCurbs, WhatIsOlderThanWhatIsKnownSaysNothing) {
    begin();
    tell({.clerk_id = "user_b", .version = 5000, .email = "b@example.com", .role = "admin"});
    Told told = wants(4000);
    told.banned = true;
    const std::string job = conflict(told);
    EXPECT_THAT(job_state(job), StartsWith("COMPLETED"));
    EXPECT_EQ(access(), "5000 f f admin");
    // As where it becomes old while it is looked at.
    run(directory->curbs().of_job(pool, job));
    EXPECT_EQ(access(), "5000 f f admin");
}

TEST_F(SyncCurbs, OfWhoIsGoneNothingChanges) {
    begin();
    tell({.clerk_id = "user_b", .version = 1500, .deletion = true});
    sql("ALTER TABLE users ADD CHECK (name <> 'Refused')");
    const std::string job =
        enqueue({.clerk_id = "user_b", .version = 2000, .name = "Refused", .banned = true});
    work();
    EXPECT_THAT(job_state(job), StartsWith("PENDING 1 "));
    EXPECT_EQ(access(), "1000 f f admin");
}

TEST_F(SyncCurbs, TheMirrorHearsOfIt) {
    config.mirror = true;
    begin();
    sql("DELETE FROM job_queue");
    Told told = wants();
    told.banned = true;
    conflict(told);
    EXPECT_EQ(sql("SELECT string_agg(subject, ' ') FROM job_queue "
                  "WHERE job_type = 'MIRROR_USER' AND status = 'PENDING'"),
              "user_b");
}

TEST_F(SyncCurbs, ABanDoesNotWaitUntilTheTableTakesTheRow) {
    begin();
    sql("ALTER TABLE users ADD CHECK (name <> 'Refused')");
    const std::string job =
        enqueue({.clerk_id = "user_b", .version = 2000, .name = "Refused", .banned = true});
    work();
    EXPECT_THAT(job_state(job), StartsWith("PENDING 1 The database refuses this change: "));
    EXPECT_EQ(access(), "1000 t f user");
}

TEST_F(SyncCurbs, ATableThatTakesNoRoleEitherStillHearsOfTheBan) {
    begin();
    sql("ALTER TABLE users ADD CHECK (name <> 'Refused'), ADD CHECK (role <> 'user') NOT VALID");
    const std::string job =
        enqueue({.clerk_id = "user_b", .version = 2000, .name = "Refused", .banned = true});
    work();
    EXPECT_THAT(job_state(job), StartsWith("PENDING 1 "));
    EXPECT_EQ(access(), "1000 t f admin");
}

TEST_F(SyncCurbs, ABanDoesNotWaitForAClerkThatIsAway) {
    begin();
    make(/*with_clerk=*/true);
    clerk.away = true;
    Told told = wants();
    told.banned = true;
    const std::string job = conflict(told);
    EXPECT_THAT(job_state(job), StartsWith("PENDING 0 "));
    EXPECT_EQ(access(), "1000 t f user");
}

TEST_F(SyncCurbs, WhatClerkSaysDoesNotWaitForTheTableEither) {
    begin();
    make(/*with_clerk=*/true);
    sql("ALTER TABLE users ADD CHECK (name <> 'Refused')");
    clerk.has("user_b", 2000, "b@example.com");
    clerk.users["user_b"].name = "Refused";
    clerk.users["user_b"].banned = true;
    sql("INSERT INTO job_queue (job_type, subject, payload, priority) "
        "VALUES ('REFRESH_USER', 'user_b', '{}', 1)");
    refresh_all();
    EXPECT_EQ(access(), "1000 t f user");
}

}  // namespace
}  // namespace rollcall::sync
