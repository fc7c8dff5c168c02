// rollcall.audit_log: what becomes an entry, who is named in it, and that it stays.
#include "jobs_fixture.hpp"

namespace rollcall::jobs {
namespace {

using testing::HasSubstr;

class AuditLog : public JobsTest {
protected:
    // The entries about `target` in order, each as "actor name action detail".
    [[nodiscard]] std::string entries(const std::string& target) const {
        return sql(
            fmt::format("SELECT coalesce(string_agg(concat_ws(' ', actor, actor_name, action, "
                        "nullif(detail, '{{}}'), reason), '; ' ORDER BY id), '') "
                        "FROM rollcall.audit_log WHERE target = '{}'",
                        target));
    }
    [[nodiscard]] std::string refused(const std::string& text) const {
        try {
            sql(text);
            return "done";
        } catch (const std::exception& error) {
            return error.what();
        }
    }
    // An entry that was made `days` ago.
    [[nodiscard]] std::string old_entry(int days) const {
        return sql(
            fmt::format("INSERT INTO rollcall.audit_log (at, actor, action) "
                        "VALUES (now() - interval '{} days', 'cli', 'migrate') RETURNING id",
                        days));
    }
};

TEST_F(AuditLog, EachJobThatIsChangedHasItsEntryAndNoOther) {
    const auto failed = add("REFRESH_USER");
    const auto done = add("REFRESH_USER");
    sql(fmt::format("UPDATE job_queue SET status = 'FAILED' WHERE id = '{}'", failed));
    sql(fmt::format("UPDATE job_queue SET status = 'COMPLETED' WHERE id = '{}'", done));
    EXPECT_EQ(sql(fmt::format("SELECT rollcall.retry_job('{}')", failed)), "t");
    EXPECT_EQ(sql(fmt::format("SELECT rollcall.retry_job('{}')", failed)), "f");  // PENDING by now
    EXPECT_EQ(
        sql(fmt::format("SELECT rollcall.cancel_jobs(ARRAY['{}', '{}']::uuid[], 'not wanted')",
                        failed, done)),
        failed);
    const std::string who = sql("SELECT session_user");
    EXPECT_EQ(entries(failed),
              "sql " + who +
                  R"( job.retry {"was": "FAILED", "kind": "REFRESH_USER", "subject": "user_1"}; )"
                  "sql " +
                  who +
                  R"( job.cancel {"was": "PENDING", "kind": "REFRESH_USER", "subject": "user_1"})"
                  " not wanted");
    EXPECT_EQ(entries(done), "");
}

TEST_F(AuditLog, ARollbackLeavesNone) {
    const auto id = add("REFRESH_USER");
    sql(fmt::format("BEGIN; SELECT rollcall.cancel_job('{}'); ROLLBACK", id));
    EXPECT_EQ(entries(id), "");
    EXPECT_EQ(status(id), "PENDING");
}

TEST_F(AuditLog, TheTransactionSaysWhoAndTheConnectionWhoItReallyWas) {
    const std::string set =
        R"(SELECT set_config('rollcall.actor', '{"actor": "user", "name": "ann", "ip": "10.0.0.9",)"
        R"( "request_id": "r-1"}', true))";
    sql("BEGIN; " + set + "; SELECT rollcall.audit('config.reload', 'told'); COMMIT");
    EXPECT_EQ(sql("SELECT concat_ws(' ', actor, actor_name, actor_ip, request_id, "
                  "database_user = session_user) FROM rollcall.audit_log WHERE target = 'told'"),
              "user ann 10.0.0.9 r-1 t");
    // The next transaction of the session is nobody's.
    sql("BEGIN; " + set + "; COMMIT; SELECT rollcall.audit('config.reload', 'after')");
    EXPECT_THAT(entries("after"), HasSubstr("sql "));
}

TEST_F(AuditLog, TheServerSideRoleIsNamedAndMayNeitherReadNorWriteTheTable) {
    const auto id = sql("SET ROLE service_role; SELECT rollcall.enqueue('REFRESH_USER', '{}')");
    EXPECT_EQ(sql(fmt::format("SET ROLE service_role; SELECT rollcall.cancel_job('{}')", id)), "t");
    EXPECT_THAT(entries(id), HasSubstr("sql service_role job.cancel"));
    for (const auto* role : {"service_role", "anon", "authenticated"}) {
        for (const auto* what :
             {"SELECT 1 FROM rollcall.audit_log",
              "INSERT INTO rollcall.audit_log (actor, action) VALUES ('cli', 'migrate')",
              "DELETE FROM rollcall.audit_log"}) {
            EXPECT_THAT(refused(fmt::format("SET ROLE {}; {}", role, what)),
                        HasSubstr("permission denied"))
                << role << " " << what;
        }
    }
    EXPECT_THAT(refused("SET ROLE anon; SELECT rollcall.audit('migrate')"),
                HasSubstr("permission denied"));
}

TEST_F(AuditLog, IsOnlyAddedTo) {
    const auto id = old_entry(0);
    for (const auto* what :
         {"UPDATE rollcall.audit_log SET actor = 'system'", "DELETE FROM rollcall.audit_log",
          "TRUNCATE rollcall.audit_log",
          "MERGE INTO rollcall.audit_log a USING (SELECT 1) s ON true "
          "WHEN MATCHED THEN UPDATE SET reason = 'x'",
          "INSERT INTO rollcall.audit_log (id, actor, action) OVERRIDING SYSTEM VALUE "
          "SELECT max(id), 'cli', 'migrate' FROM rollcall.audit_log "
          "ON CONFLICT (id) DO UPDATE SET actor = 'sql'"}) {
        EXPECT_THAT(refused(what), HasSubstr("only added to")) << what;
    }
    EXPECT_EQ(sql("SELECT actor FROM rollcall.audit_log WHERE id = " + id), "cli");
}

TEST_F(AuditLog, AnEntryMayGoAfterAYear) {
    const auto young = old_entry(364);
    const auto old = old_entry(366);
    EXPECT_THAT(refused("DELETE FROM rollcall.audit_log WHERE id = " + young),
                HasSubstr("only added to"));
    EXPECT_EQ(sql("DELETE FROM rollcall.audit_log WHERE id = " + old + " RETURNING id"), old);
}

TEST_F(AuditLog, AReasonIsCutShortAndNonsenseOfAnActorIsRefused) {
    sql("SELECT rollcall.audit('migrate', 'long', reason => repeat('x', 5000))");
    EXPECT_EQ(sql("SELECT length(reason) FROM rollcall.audit_log WHERE target = 'long'"), "1000");
    EXPECT_THAT(refused(R"(BEGIN; SELECT set_config('rollcall.actor', '{"actor": "god"}', true); )"
                        "SELECT rollcall.audit('migrate')"),
                HasSubstr("audit_log_actor_check"));
}

}  // namespace
}  // namespace rollcall::jobs
