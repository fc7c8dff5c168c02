// rollcall.user_id(), clerk_id() and sync_age(): who they say the caller is whatever the claims
// look like, who may ask, and what a caller cannot make them do.
#include "rls_fixture.hpp"

namespace rollcall::directory {
namespace {

using testing::HasSubstr;

constexpr const char* who = "SELECT rollcall.user_id() || ' ' || rollcall.clerk_id()";

TEST_F(RlsTest, TheFunctionsNameTheCaller) {
    make();
    for (const std::string& subject : subjects("user_a")) {
        EXPECT_EQ(as(subject, who), id_of("user_a") + " user_a");
    }
    std::string upper = id_of("user_a");
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(as(upper, who), id_of("user_a") + " user_a");
    EXPECT_EQ(as("user_x", who), "");
    EXPECT_EQ(as("00000000-0000-0000-0000-000000000000", who), "");
    // A row that rollcall has not seen in Clerk yet is somebody's all the same.
    sql(R"(INSERT INTO users (clerk_id, "updatedAt") VALUES ('user_early', now()))");
    EXPECT_EQ(as("user_early", who), id_of("user_early") + " user_early");
    // One without a Clerk id has an owner by its id.
    sql(R"(INSERT INTO users (email, "updatedAt") VALUES ('x@example.com', now()))");
    const std::string bare = sql("SELECT id FROM users WHERE clerk_id IS NULL");
    EXPECT_EQ(as(bare, "SELECT rollcall.user_id()"), bare);
}

TEST_F(RlsTest, ClaimsOfWhateverFormAreNobodysAndNoError) {
    make();
    const std::string nested(5000, '[');
    for (const std::string& claims :
         {std::string(),
          std::string(" "),
          std::string("{"),
          std::string("null"),
          std::string("[]"),
          std::string("5"),
          std::string("\"user_a\""),
          std::string("{}"),
          std::string(R"(["user_a"])"),
          std::string(R"({"sub": null})"),
          std::string(R"({"sub": 5})"),
          std::string(R"({"sub": ""})"),
          std::string(R"({"sub": ["user_a"]})"),
          std::string(R"({"sub": {"sub": "user_a"}})"),
          std::string(R"({"a": {"sub": "user_a"}})"),
          std::string(R"({"SUB": "user_a"})"),
          std::string(R"({"sub": "user_a\u0000"})"),
          std::string(R"({"sub": "\ud800"})"),
          std::string(R"({"sub": "user_A"})"),
          std::string(R"({"sub": " user_a"})"),
          std::string(R"({"sub": "user_a' OR true --"})"),
          std::string(R"({"sub": "user_%"})"),
          std::string(R"({"sub": "NULL"})"),
          std::string(R"({"sub": "{00000000-0000-0000-0000-000000000000}"})"),
          std::string(R"({"sub": "00000000-0000-0000-0000-00000000000g"})"),
          nested}) {
        EXPECT_EQ(with_claims("authenticated", claims, "SELECT rollcall.user_id()"), "") << claims;
        EXPECT_EQ(with_claims("authenticated", claims, "SELECT rollcall.clerk_id()"), "") << claims;
        EXPECT_EQ(with_claims("authenticated", claims, whose_rows), "") << claims;
    }
    // After a transaction with claims the setting is '', not NULL.
    EXPECT_EQ(sql("BEGIN; SELECT set_config('request.jwt.claims', '{\"sub\": \"user_a\"}', true); "
                  "COMMIT; SET ROLE authenticated; SELECT current_setting('request.jwt.claims') || "
                  "'/' || coalesce(rollcall.user_id()::text, 'nobody')"),
              "/nobody");
}

TEST_F(RlsTest, OnlyCallersMayAsk) {
    make();
    sql("DROP ROLE IF EXISTS rls_stranger; CREATE ROLE rls_stranger NOLOGIN");
    for (const char* function : {"user_id", "clerk_id", "sync_age"}) {
        const std::string ask = fmt::format("SELECT rollcall.{}()", function);
        EXPECT_EQ(as("user_a", ask, "rls_stranger"), "denied") << function;
        EXPECT_NE(as("user_a", ask), "denied") << function;
        EXPECT_NE(as("user_a", ask, "service_role"), "denied") << function;
    }
    // Who is anonymous may ask and is nobody, whatever a token without a role says.
    for (const std::string& subject : subjects("user_a")) {
        EXPECT_EQ(as(subject, "SELECT rollcall.user_id()", "anon"), "");
        EXPECT_EQ(as(subject, "SELECT rollcall.clerk_id()", "anon"), "");
    }
    EXPECT_EQ(as("user_a", "SELECT rollcall.sync_age()", "anon"), "denied");
    // What was there before is as closed as it was.
    for (const char* text :
         {"SELECT * FROM rollcall.ledger", "SELECT * FROM rollcall.sync_runs",
          "SELECT rollcall.ensure_access()", "SELECT rollcall.enqueue('USER_DELETED', '{}')",
          "SELECT rollcall.retry_failed()", "SELECT * FROM rollcall.queue_depths()",
          "CREATE TABLE rollcall.x (y int)"}) {
        EXPECT_EQ(as("user_a", text), "denied") << text;
    }
    // Of all that rollcall has, nothing else: the next migrate closes what somebody opened.
    const char* callable =
        "SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace "
        "= "
        "'rollcall'::regnamespace AND has_function_privilege('authenticated', p.oid, 'EXECUTE')";
    EXPECT_EQ(sql(callable), "clerk_id sync_age user_id");
    sql("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA rollcall TO PUBLIC; "
        "REVOKE ALL ON FUNCTION rollcall.user_id() FROM authenticated");
    migrate();
    EXPECT_EQ(sql(callable), "clerk_id sync_age user_id");
    EXPECT_EQ(as("user_a", "SELECT rollcall.user_id()"), id_of("user_a"));
    sql("DROP ROLE rls_stranger");
}

// What a caller may make in schemas of his own stands in nobody's way: neither functions and
// operators by the path, nor types, which are looked for among temporary ones first.
TEST_F(RlsTest, ACallersOwnNamesAreNotLookedUp) {
    make();
    sql("GRANT CREATE ON SCHEMA public TO authenticated; CREATE SCHEMA trap AUTHORIZATION "
        "authenticated; CREATE TABLE trap.told (who text); GRANT ALL ON trap.told TO PUBLIC; "
        "ALTER TABLE trap.told OWNER TO authenticated");
    const std::string lay =  // undone when the connection ends
        "BEGIN;"
        "CREATE FUNCTION trap.spring(text) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN "
        "  INSERT INTO trap.told VALUES (current_user); RETURN true; END $f$;"
        "CREATE FUNCTION trap.same(text, text) RETURNS boolean LANGUAGE sql AS "
        "  'SELECT trap.spring($1)';"
        "CREATE FUNCTION trap.same(uuid, uuid) RETURNS boolean LANGUAGE sql AS "
        "  'SELECT trap.spring(NULL)';"
        "CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.same);"
        "CREATE OPERATOR trap.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = trap.same);"
        "CREATE OPERATOR trap.~ (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.same);"
        "CREATE FUNCTION public.user_id() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid';"
        "CREATE FUNCTION trap.current_setting(text, boolean) RETURNS text LANGUAGE sql AS "
        "  $f$ SELECT trap.spring(NULL)::text $f$;"
        "CREATE FUNCTION trap.jsonb_typeof(jsonb) RETURNS text LANGUAGE sql AS "
        "  $f$ SELECT trap.spring(NULL)::text $f$;"
        "CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (trap.spring(NULL));"
        "CREATE DOMAIN pg_temp.uuid AS pg_catalog.uuid CHECK (trap.spring(NULL));"
        "CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (trap.spring(NULL));"
        "CREATE TEMP TABLE users (id pg_catalog.uuid, clerk_id pg_catalog.text,"
        "                         deleted_at timestamptz);"
        "CREATE TEMP TABLE ledger (clerk_id pg_catalog.text);"
        "SET LOCAL search_path = trap, pg_temp, public, pg_catalog;";
    for (const std::string& subject : subjects("user_a")) {
        EXPECT_EQ(as(subject, lay + "SELECT rollcall.user_id() || ' ' || rollcall.clerk_id()"),
                  id_of("user_a") + " user_a");
        EXPECT_EQ(as(subject, lay + "SELECT rollcall.user_id(); SELECT rollcall.clerk_id(); "
                                    "SELECT rollcall.sync_age(); "
                                    "SELECT count(*) FROM trap.told WHERE who <> 'authenticated'"),
                  "0");
        EXPECT_EQ(as(subject, lay + "SELECT string_agg(clerk_id, ' ') FROM public.users"),
                  "user_a");
    }
    EXPECT_EQ(sql("SELECT count(*) FROM pg_proc WHERE prosecdef AND pronamespace = "
                  "'rollcall'::regnamespace AND proconfig IS DISTINCT FROM "
                  "ARRAY['search_path=pg_catalog, pg_temp']"),
              "0");
}

// That it is one of PostgreSQL's own errors would say whose id exists.
TEST_F(RlsTest, TheFunctionsAreAskedOfNobodyElse) {
    make();
    EXPECT_EQ(sql("SELECT string_agg(proname || pronargs, ' ' ORDER BY proname) FROM pg_proc "
                  "WHERE pronamespace = 'rollcall'::regnamespace "
                  "AND has_function_privilege('anon', oid, 'EXECUTE')"),
              "clerk_id0 user_id0");
    EXPECT_EQ(
        as("user_a", fmt::format("SELECT count(*) FROM users WHERE id = '{}'", id_of("user_b"))),
        "0");
}

class SyncAge : public RlsTest {
protected:
    SyncAge() { make(); }
    // In whole seconds, as somebody sees it who is signed in.
    [[nodiscard]] std::string age() const {
        return as("user_a", "SELECT floor(extract(epoch FROM rollcall.sync_age()))::bigint");
    }
    void pass(std::string_view mode, std::string_view status, int seconds_ago) const {
        sql(
            fmt::format("INSERT INTO rollcall.sync_runs (trigger, mode, status, instance, "
                        "started_at, finished_at) VALUES ('cli', '{}', '{}', 'test', now() - "
                        "interval '{} s', now())",
                        mode, status, seconds_ago));
    }
    void delivery(std::string_view outcome, std::string_view type, int seconds_ago) const {
        sql(
            fmt::format("INSERT INTO rollcall.deliveries (minute, outcome, event_type, count, "
                        "first_seen, last_seen) SELECT date_trunc('minute', t), '{}', '{}', 1, t, "
                        "t FROM (SELECT now() - interval '{} s' AS t) AS x",
                        outcome, type, seconds_ago));
    }
    void job(int priority, int seconds_ago) const {
        sql(
            fmt::format("INSERT INTO job_queue (job_type, payload, priority, created_at, run_at) "
                        "SELECT 'USER_UPDATED', '{{\"clerk_id\": \"user_b\"}}', {}, t, t "
                        "FROM (SELECT now() - interval '{} s' AS t) AS x",
                        priority, seconds_ago));
    }
    static constexpr const char* never = "31557600000";  // a thousand years
};

TEST_F(SyncAge, IsAThousandYearsBeforeTheFirstSign) {
    EXPECT_EQ(age(), never);
    pass("full", "running", 5);
    pass("full", "failed", 5);
    pass("incremental", "incomplete", 5);
    pass("user", "completed", 5);
    delivery("refused", "", 5);
    delivery("unavailable", "user.created", 5);
    delivery("ignored", "session.created", 5);
    job(1, 5);
    EXPECT_EQ(age(), never);
    EXPECT_EQ(as("user_a", "SELECT rollcall.sync_age() > interval '1 year'"), "t");
    EXPECT_EQ(as("user_a", "SELECT now() - rollcall.sync_age() < now()"), "t");
}

TEST_F(SyncAge, CountsFromTheBeginOfTheLastCompletedPass) {
    pass("full", "completed", 4000);
    EXPECT_EQ(age(), "4000");
    pass("incremental", "completed", 300);
    pass("incremental", "failed", 20);
    EXPECT_EQ(age(), "300");
    job(1, 1000);  // a pass looks at the rows themselves, whatever waits
    EXPECT_EQ(age(), "300");
}

TEST_F(SyncAge, CountsFromTheLastDeliveryUnlessWorkersAreAway) {
    delivery("stored", "user.updated", 90);
    EXPECT_EQ(age(), "90");
    delivery("duplicate", "user.created", 10);
    EXPECT_EQ(age(), "10");
    pass("incremental", "completed", 300);
    EXPECT_EQ(age(), "10");
    job(2, 50);
    EXPECT_EQ(age(), "50");
    job(1, 200);
    EXPECT_EQ(age(), "200");
    job(7, 250);
    EXPECT_EQ(age(), "250");
    job(1, 900);
    EXPECT_EQ(age(), "300");  // the pass
    sql("UPDATE job_queue SET status = 'COMPLETED'");
    EXPECT_EQ(age(), "10");
}

TEST_F(SyncAge, GoesOnWithinATransactionAndIsNeverNegative) {
    delivery("stored", "user.updated", -60);  // of a machine whose clock is ahead
    EXPECT_EQ(age(), "0");
    sql("DELETE FROM rollcall.deliveries");
    pass("full", "completed", 0);
    const std::string grown = run([&]() -> Task<std::string> {
        pg::Transaction tx = co_await pool.begin();
        const auto first = co_await tx.execute({"age1", "SELECT rollcall.sync_age()::text"});
        co_await tx.execute({"wait", "SELECT pg_sleep(0.02)"});
        const auto second =
            co_await tx.execute({"age2", "SELECT ($1::text::interval < rollcall.sync_age())::text"},
                                pg::Params().text(first.text(0, 0)));
        co_return std::string(second.text(0, 0));
    }());
    EXPECT_EQ(grown, "true");
}

}  // namespace
}  // namespace rollcall::directory
