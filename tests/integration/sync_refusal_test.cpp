// What the server refuses for one user's sake ends with that user's job; what it refuses for
// everybody's costs nobody an attempt.
#include "base/log.hpp"
#include "sync_fixture.hpp"

namespace rollcall::sync {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class SyncRefusal : public SyncTest {
protected:
    // A trigger of the application's that does `what` to the rows of user_x, or of everybody.
    void trigger(std::string_view what, std::string_view whose = "new.clerk_id = 'user_x'") const {
        sql(
            fmt::format("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                        "IF {} THEN {}; END IF; RETURN new; END $$; "
                        "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON users FOR EACH ROW "
                        "EXECUTE FUNCTION refuse()",
                        whose, what));
    }
    void no_trigger() const { sql("DROP TRIGGER t ON users; DROP FUNCTION refuse()"); }
};

TEST_F(SyncRefusal, OfWhateverClassHoldsUpNobodyElse) {
    retry.attempts_max = 2;
    make();
    struct Case {
        const char* sqlstate;
        const char* what;
    };
    constexpr Case cases[]{
        {"42501", "RAISE insufficient_privilege"},
        {"42P01", "PERFORM 1 FROM no_such_table"},
        {"42883", "PERFORM no_such_function()"},
        {"54000", "RAISE program_limit_exceeded"},
        {"0A000", "RAISE feature_not_supported"},
        {"55000", "RAISE object_not_in_prerequisite_state"},
        {"XX000", "RAISE internal_error"},
        {"P0001", "RAISE EXCEPTION 'not this one'"},
        {"23514", "RAISE check_violation"},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(one.sqlstate);
        trigger(one.what);
        enqueue({.clerk_id = "user_before"});
        const std::string bad = enqueue({.clerk_id = "user_x"});
        enqueue({.clerk_id = "user_after"});
        work();
        EXPECT_EQ(row("user_before"), "Ann|-|user|alive");
        EXPECT_EQ(row("user_after"), "Ann|-|user|alive");
        EXPECT_THAT(job_state(bad), StartsWith("PENDING 1 The database refuses this change: "));
        EXPECT_THAT(job_state(bad), HasSubstr(one.sqlstate));
        EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE run_at > now()"), "1");
        pass_time();
        work();
        EXPECT_THAT(job_state(bad), StartsWith("FAILED 2 "));
        no_trigger();
        sql("DELETE FROM users; DELETE FROM rollcall.ledger; DELETE FROM job_queue");
    }
}

TEST_F(SyncRefusal, ARowTooLargeForAnIndexOfTheApplicationsFailsAlone) {
    retry.attempts_max = 2;
    make();
    sql("CREATE INDEX ON users (name); CREATE FUNCTION noise(n int) RETURNS text LANGUAGE sql AS "
        "$$ SELECT string_agg(chr(20000 + (random() * 9000)::int), '') FROM generate_series(1, n) "
        "$$");
    const std::string bad =
        sql("INSERT INTO job_queue (job_type, payload) SELECT 'USER_UPDATED', "
            "jsonb_build_object('clerk_id', 'user_x', 'name', noise(5000)) RETURNING id");
    enqueue({.clerk_id = "user_y"});
    work();
    EXPECT_EQ(row("user_y"), "Ann|-|user|alive");
    EXPECT_THAT(job_state(bad), StartsWith("PENDING 1 "));
    EXPECT_THAT(job_state(bad), HasSubstr("(54000)"));
    pass_time();
    work();
    EXPECT_THAT(job_state(bad), StartsWith("FAILED 2 "));
}

TEST_F(SyncRefusal, AloneInTheQueueAnUndecidedOneIsPutOffWithoutAnAttempt) {
    trigger("RAISE insufficient_privilege");
    const std::string bad = enqueue({.clerk_id = "user_x"});
    for (int i = 0; i < 3; ++i) {
        pass_time();
        work();
        EXPECT_THAT(job_state(bad), StartsWith("PENDING 0 The database refuses this change: "));
    }
    enqueue({.clerk_id = "user_y"});  // goes through, so it is not the table
    pass_time();
    work();
    EXPECT_THAT(job_state(bad), StartsWith("PENDING 1 "));
    EXPECT_EQ(row("user_y"), "Ann|-|user|alive");
}

TEST_F(SyncRefusal, WhatATriggerRaisesCountsAloneToo) {
    trigger("RAISE EXCEPTION 'not this one'");
    const std::string bad = enqueue({.clerk_id = "user_x"});
    work();
    EXPECT_THAT(job_state(bad), StartsWith("PENDING 1 "));
}

TEST_F(SyncRefusal, ATriggerThatBreaksForEverybodyCostsNoAttempts) {
    trigger("PERFORM no_such_function()", "true");
    for (int i = 0; i < 5; ++i) enqueue({.clerk_id = fmt::format("user_{}", i)});
    work();
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'PENDING' AND attempts = 0 "
                  "AND run_at > now() AND error LIKE '%42883%'"),
              "5");
    no_trigger();
    pass_time();
    EXPECT_EQ(work(), 5);
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "5");
}

TEST_F(SyncRefusal, ATableThatTakesNothingHoldsEverythingAndSaysSo) {
    const char* const breakages[][2]{
        {"ALTER TABLE users RENAME TO gone", "ALTER TABLE gone RENAME TO users"},
        {"ALTER TABLE users RENAME COLUMN name TO full_name",
         "ALTER TABLE users RENAME COLUMN full_name TO name"},
        {"ALTER TABLE users DROP CONSTRAINT \"User_clerkId_key\"",
         "ALTER TABLE users ADD CONSTRAINT \"User_clerkId_key\" UNIQUE (clerk_id)"},
    };
    for (const auto& [damage, mend] : breakages) {
        SCOPED_TRACE(damage);
        for (int i = 0; i < 3; ++i) enqueue({.clerk_id = fmt::format("user_{}", i)});
        sql(damage);
        const log::Capture log;
        EXPECT_THROW(run(apply->run_once()), pg::SqlError);
        EXPECT_THROW(run(apply->run_once()), pg::SqlError);
        EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'PENDING' AND attempts = 0 "
                      "AND run_at <= created_at AND error IS NULL"),
                  "3");
        const std::string lines(log.text());
        EXPECT_THAT(lines, HasSubstr("users_table_takes_no_change"));
        EXPECT_EQ(lines.find("users_table_takes_no_change"),
                  lines.rfind("users_table_takes_no_change"));
        EXPECT_THAT(apply->standstill(), Not(IsEmpty()));
        EXPECT_THAT(metrics.render(), HasSubstr("\nrollcall_users_table_takes_no_change 1"));
        sql(mend);
        EXPECT_EQ(work(), 3);
        EXPECT_THAT(apply->standstill(), IsEmpty());
        EXPECT_THAT(metrics.render(), HasSubstr("\nrollcall_users_table_takes_no_change 0"));
        EXPECT_THAT(std::string(log.text()), HasSubstr("users_table_takes_changes_again"));
        sql("DELETE FROM users; DELETE FROM rollcall.ledger; DELETE FROM job_queue");
    }
}

TEST_F(SyncRefusal, ADeletionThatTheRowCannotFollowIsKnownAllTheSame) {
    retry.attempts_max = 2;
    make();
    tell({.clerk_id = "user_x", .version = 1000, .email = "x@example.com"});
    sql("ALTER TABLE users ALTER COLUMN email SET NOT NULL");
    const std::string bad = enqueue({.clerk_id = "user_x", .version = 2000, .deletion = true});
    const std::string known =
        "SELECT deleted_at IS NOT NULL FROM rollcall.ledger WHERE clerk_id = 'user_x'";
    work();
    EXPECT_THAT(job_state(bad), StartsWith("PENDING 1 The database refuses this change: "));
    EXPECT_THAT(job_state(bad), HasSubstr("(23502)"));
    EXPECT_EQ(row("user_x"), "Ann|x@example.com|user|deleted");
    EXPECT_EQ(sql(known), "t");
    pass_time();
    work();
    EXPECT_THAT(job_state(bad), StartsWith("FAILED 2 "));
    EXPECT_EQ(row("user_x"), "Ann|x@example.com|user|deleted");

    sql("ALTER TABLE users ALTER COLUMN email DROP NOT NULL");
    sql(fmt::format("SELECT rollcall.retry_job('{}')", bad));
    pass_time();
    work();
    EXPECT_EQ(row("user_x"), "Ann|-|user|deleted");
}

TEST_F(SyncRefusal, ARowThatTakesNoMarkEitherIsDeletedInTheLedger) {
    tell({.clerk_id = "user_x", .version = 1000, .email = "x@example.com"});
    trigger("RAISE EXCEPTION 'this one stays'");
    const std::string bad = enqueue({.clerk_id = "user_x", .version = 2000, .deletion = true});
    work();
    EXPECT_THAT(job_state(bad), StartsWith("PENDING 1 The database refuses this change: "));
    EXPECT_EQ(row("user_x"), "Ann|x@example.com|user|alive");
    EXPECT_EQ(sql("SELECT deleted_at IS NOT NULL FROM rollcall.ledger"), "t");
}

TEST_F(SyncRefusal, AUniqueConstraintOfTheApplicationsIsNamed) {
    sql("ALTER TABLE users ADD CONSTRAINT one_name UNIQUE (name)");
    tell({.clerk_id = "user_a", .name = "Ann"});
    const std::string bad = enqueue({.clerk_id = "user_b", .name = "Ann"});
    enqueue({.clerk_id = "user_c", .name = "Cid"});
    work();
    EXPECT_THAT(job_state(bad), StartsWith("PENDING 1 The database refuses this change: "));
    EXPECT_THAT(job_state(bad), HasSubstr("one_name"));
    EXPECT_THAT(job_state(bad), HasSubstr("(23505)"));
    EXPECT_EQ(row("user_c"), "Cid|-|user|alive");
}

TEST_F(SyncRefusal, TimesWithoutEndHoldUpNobody) {
    for (const char* at : {"infinity", "-infinity"}) {
        const std::string strange =
            sql(fmt::format("INSERT INTO job_queue (job_type, payload, created_at) VALUES "
                            "('USER_UPDATED', '{{\"clerk_id\": \"user_{}\"}}', '{}') RETURNING id",
                            at, at));
        enqueue({.clerk_id = "user_y"});
        make();  // looks for jobs that wait for their time at once
        work();
        EXPECT_EQ(row("user_y"), "Ann|-|user|alive");
        EXPECT_EQ(job_state(strange), "COMPLETED 1 -");
        EXPECT_EQ(sql(fmt::format("SELECT abs(version / 1000 - extract(epoch FROM now())) < 60 "
                                  "FROM rollcall.ledger WHERE clerk_id = 'user_{}'",
                                  at)),
                  "t");
    }
}

TEST_F(SyncRefusal, AJobDatedAheadWaitsBetweenItsAttempts) {
    trigger("RAISE EXCEPTION 'not this one'");
    const std::string bad =
        sql("INSERT INTO job_queue (job_type, payload, created_at) VALUES "
            "('USER_UPDATED', '{\"clerk_id\": \"user_x\"}', now() + interval '1 year') "
            "RETURNING id");
    work();
    EXPECT_THAT(job_state(bad), StartsWith("PENDING 1 "));
}

TEST_F(SyncRefusal, WhatAPayloadHoldsIsBounded) {
    sql("INSERT INTO job_queue (job_type, payload) SELECT 'USER_UPDATED', jsonb_build_object("
        "'clerk_id', 'user_x', 'email', repeat('e', 1001), 'name', repeat('n', 1001))");
    sql("INSERT INTO job_queue (job_type, payload) SELECT 'USER_UPDATED', jsonb_build_object("
        "'clerk_id', 'user_y', 'email', repeat('e', 1000), 'name', repeat('n', 1000))");
    const std::string unusable =
        sql("INSERT INTO job_queue (job_type, payload) SELECT 'USER_UPDATED', jsonb_build_object("
            "'clerk_id', 'user_' || repeat('i', 251)) RETURNING id");
    work();
    EXPECT_EQ(sql("SELECT string_agg(coalesce(length(email)::text, '-') || ' ' || length(name), "
                  "',' ORDER BY clerk_id) FROM users"),
              "- 1000,1000 1000");
    EXPECT_THAT(job_state(unusable), StartsWith("FAILED 1 Unusable job"));
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "2");
}

}  // namespace
}  // namespace rollcall::sync
