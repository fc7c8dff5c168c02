#include "pg_fixture.hpp"

#include "base/log.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace rollcall::pg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class PgPool : public PoolTest {};

class PgSmallPool : public PoolTest {
protected:
    PgSmallPool() : PoolTest(1) {}
};

TEST_F(PgPool, ExecutesOneStatementAndCommitsIt) {
    run(pool.execute_script("CREATE TABLE t (id int, word text)"));
    Params params;
    params.integer(7).text("seven");
    const Rows rows = run(pool.execute(
        {"insert_t", "INSERT INTO t VALUES ($1, $2) RETURNING id, word, NULL AS \"Nothing\""},
        params));
    ASSERT_EQ(rows.size(), 1);
    EXPECT_EQ(rows.affected(), 1);
    EXPECT_EQ(rows.bigint(0, rows.column("id")), 7);
    EXPECT_EQ(rows.text(0, rows.column("word")), "seven");
    EXPECT_TRUE(rows.is_null(0, rows.column("Nothing")));
    EXPECT_EQ(rows.maybe(0, 2), std::nullopt);
    EXPECT_EQ(db.sql("SELECT count(*) FROM t"), "1");
}

TEST_F(PgPool, ReportsRowsAffectedWithoutRows) {
    run(pool.execute_script("CREATE TABLE t AS SELECT generate_series(1, 5) AS id"));
    const Rows rows = run(pool.execute({"delete_t", "DELETE FROM t WHERE id > 2"}));
    EXPECT_EQ(rows.affected(), 3);
    EXPECT_TRUE(rows.empty());
    EXPECT_EQ(run(pool.execute({"nothing", ""})).size(), 0);
}

TEST_F(PgPool, PreparesAStatementOnceForEachConnection) {
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(value(pool, "SELECT count(*) FROM pg_prepared_statements"), "1");
    }
    EXPECT_EQ(value(pool, "SELECT name LIKE 'value\\__%' FROM pg_prepared_statements"), "t");
}

TEST_F(PgPool, KeepsStatementsOfOneNameApart) {
    EXPECT_EQ(value(pool, "SELECT 1"), "1");
    EXPECT_EQ(value(pool, "SELECT 2"), "2");
    EXPECT_EQ(value(pool, "SELECT 1"), "1");
    Params number;
    number.bigint(5);
    Params text;
    text.text("five");
    Params null;
    null.null();
    EXPECT_EQ(value(pool, "SELECT $1::text", text), "five");
    EXPECT_EQ(value(pool, "SELECT $1", number), "5");
    EXPECT_EQ(value(pool, "SELECT $1", text), "five");
    EXPECT_EQ(value(pool, "SELECT $1", null), "");
    EXPECT_EQ(value(pool, "SELECT $1", number), "5");
}

TEST_F(PgPool, RefusalsAreSqlErrorsAndLeaveThePoolWorking) {
    run(pool.execute_script("CREATE TABLE t (email text CONSTRAINT t_email_key UNIQUE)"));
    Params params;
    params.text("ada@example.com");
    const Statement insert{"insert_t", "INSERT INTO t VALUES ($1)"};
    run(pool.execute(insert, params));
    const auto again = run(pool.try_execute(insert, params));
    ASSERT_FALSE(again.has_value());
    EXPECT_TRUE(again.error().unique_violation());
    EXPECT_TRUE(again.error().data_error());
    EXPECT_FALSE(again.error().transient());
    EXPECT_EQ(again.error().constraint(), "t_email_key");
    EXPECT_THAT(again.error().what(), HasSubstr("insert_t"));
    EXPECT_THAT(again.error().what(), HasSubstr("t_email_key"));
    EXPECT_THAT(again.error().what(), Not(HasSubstr("ada@example.com")));
    EXPECT_THROW(run(pool.execute(insert, params)), SqlError);
    EXPECT_EQ(value(pool, "SELECT 'fine'"), "fine");
    EXPECT_EQ(sample("rollcall_db_errors_total{sqlstate_class=\"23\"}"), 2);
}

TEST_F(PgSmallPool, WhatAnApplicationRaisesSaysNothingOfTheServer) {
    run(pool.execute_script(R"(
        CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN
                IF NEW.code = 'slow' THEN PERFORM pg_sleep(30); END IF;
                RAISE EXCEPTION 'not this one' USING ERRCODE = NEW.code;
            END $$;
        CREATE TABLE guarded (code text);
        CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION guard();
    )"));
    const auto insert = [&](const char* code) {
        return run(
            pool.try_execute({"guarded", "INSERT INTO guarded VALUES ($1)"}, Params().text(code)));
    };
    for (const char* code : {"53100", "57014", "57P03", "25006", "08006"}) {
        const auto refused = insert(code);
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().sqlstate(), "P0001");
        EXPECT_FALSE(refused.error().whatever_the_row()) << code;
        EXPECT_THAT(refused.error().what(), HasSubstr(code));
    }
    // Worth another try, as any other; but by the application.
    const auto met = insert("40001");
    ASSERT_FALSE(met.has_value());
    EXPECT_TRUE(met.error().transient() && met.error().by_application());
    run(pool.execute({"limit", "SELECT set_config('statement_timeout', '50ms', false)"}));
    EXPECT_THROW(insert("slow"), Unavailable);
}

TEST_F(PgPool, MessagesNeverQuoteWhatWasGiven) {
    run(pool.execute_script(R"(
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN
                IF NEW.how = 'code' THEN
                    RAISE EXCEPTION 'bad address %', NEW.email USING ERRCODE = 'check_violation';
                ELSIF NEW.how = 'dynamic' THEN
                    EXECUTE format('SELECT %I', NEW.email);
                ELSIF NEW.how = 'constraint' THEN
                    INSERT INTO short VALUES (NEW.email);
                END IF;
                RAISE EXCEPTION 'bad address %', NEW.email;
            END $$;
        CREATE TABLE short (email text CONSTRAINT brief CHECK (length(email) < 3));
        CREATE TABLE guarded (email text, how text);
        CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION tell();
        CREATE SCHEMA rollcall;
        CREATE FUNCTION rollcall.own() RETURNS int LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no such job'; END $$;
    )"));
    const std::string canary = "canary@example.com";
    Params params;
    params.text(canary);
    for (const std::string_view text :
         {"SELECT $1::text::int", "SELECT $1::text::timestamptz", "SELECT $1::text::uuid",
          "SELECT $1::jsonb", "INSERT INTO guarded VALUES ($1)",
          "INSERT INTO guarded VALUES ($1, 'code')", "INSERT INTO guarded VALUES ($1, 'dynamic')",
          "SELECT ('{\"a\":1}'::jsonb -> $1::text)::int::text::inet"}) {
        const auto outcome = run(pool.try_execute({"canary", text}, params));
        if (!outcome) EXPECT_THAT(outcome.error().what(), Not(HasSubstr("canary@"))) << text;
    }
    const auto own = run(pool.try_execute({"own", "SELECT rollcall.own()"}));
    ASSERT_FALSE(own.has_value());
    EXPECT_THAT(own.error().what(), HasSubstr("no such job"));
    const auto refused =
        run(pool.try_execute({"guarded", "INSERT INTO guarded VALUES ($1)"}, params));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().sqlstate(), "P0001");
    const auto constraint = run(
        pool.try_execute({"constraint", "INSERT INTO guarded VALUES ($1, 'constraint')"}, params));
    ASSERT_FALSE(constraint.has_value());
    EXPECT_THAT(constraint.error().what(), HasSubstr("violates check constraint \"brief\""));
}

TEST_F(PgPool, ANulByteIsRefusedLikeAnyInvalidText) {
    Params params;
    params.text(std::string_view("a\0b", 3));
    const auto outcome = run(pool.try_execute({"nul", "SELECT $1::text"}, params));
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().sqlstate(), "22021");
    EXPECT_TRUE(outcome.error().data_error());
}

TEST_F(PgPool, ExecutesTogetherAllOrNothing) {
    run(pool.execute_script("CREATE TABLE t (id int PRIMARY KEY)"));
    const Statement insert{"insert_t", "INSERT INTO t VALUES ($1) RETURNING id"};
    const Statement count{"count_t", "SELECT count(*), pg_current_xact_id() FROM t"};
    const auto steps = [&](int a, int b) {
        std::vector<Pool::Step> list;
        Params first;
        first.integer(a);
        Params second;
        second.integer(b);
        list.push_back({&insert, std::move(first)});
        list.push_back({&insert, std::move(second)});
        list.push_back({&count, {}});
        return list;
    };
    const auto results = run(pool.execute_together(steps(1, 2)));
    ASSERT_EQ(results.size(), 3U);
    EXPECT_EQ(results[0].bigint(0, 0), 1);
    EXPECT_EQ(results[1].bigint(0, 0), 2);
    EXPECT_EQ(results[2].bigint(0, 0), 2);
    EXPECT_THROW(run(pool.execute_together(steps(3, 1))), SqlError);
    EXPECT_EQ(db.sql("SELECT count(*) FROM t"), "2");
    EXPECT_TRUE(run(pool.execute_together({})).empty());
    EXPECT_EQ(run(pool.execute_together(steps(4, 5)))[2].bigint(0, 0), 4);
}

TEST_F(PgPool, ARefusalAtTheCommitIsARefusal) {
    run(pool.execute_script(R"(
        CREATE TABLE parent (id int PRIMARY KEY);
        CREATE TABLE child (id int CONSTRAINT child_parent REFERENCES parent
                                   DEFERRABLE INITIALLY DEFERRED);
    )"));
    const auto outcome = run(pool.try_execute({"orphan", "INSERT INTO child VALUES (1)"}));
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().sqlstate(), "23503");
    EXPECT_EQ(outcome.error().constraint(), "child_parent");
    EXPECT_EQ(db.sql("SELECT count(*) FROM child"), "0");
    EXPECT_EQ(value(pool, "SELECT 1"), "1");
}

TEST_F(PgPool, ScriptsAreOneTransaction) {
    EXPECT_THROW(run(pool.execute_script("CREATE TABLE a (); CREATE TABLE b (); SELECT 1/0")),
                 SqlError);
    EXPECT_EQ(db.sql("SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b')"), "0");
    run(
        pool.execute_script("CREATE TABLE a (); -- a comment; with semicolons\n"
                            "DO $$ BEGIN PERFORM 1; END $$; CREATE TABLE b ()"));
    EXPECT_EQ(db.sql("SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b')"), "2");
    run(pool.execute_script(""));
    EXPECT_EQ(value(pool, "SELECT 1"), "1");
}

TEST_F(PgPool, AScriptsRefusalNamesTheLine) {
    try {
        run(pool.execute_script("SELECT 'ä';\nSELECT 'ö';\n\nSELEC 3;\n"));
        FAIL();
    } catch (const SqlError& error) {
        EXPECT_THAT(error.what(), HasSubstr("line 4"));
        EXPECT_EQ(error.sqlstate(), "42601");
    }
}

TEST_F(PgPool, AnOpenTransactionIsNotLeftBehind) {
    for (const char* text : {"BEGIN", "START TRANSACTION"}) {
        const auto outcome = run(pool.try_execute({"opens", text}));
        ASSERT_FALSE(outcome.has_value()) << text;
        EXPECT_EQ(outcome.error().sqlstate(), "25001");
    }
    EXPECT_THROW(run(pool.execute_script("BEGIN; CREATE TABLE left_over ()")), SqlError);
    EXPECT_EQ(value(pool, "SELECT count(*) FROM pg_class WHERE relname = 'left_over'"), "0");
    EXPECT_EQ(db.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                     "AND state LIKE 'idle in transaction%'"),
              "0");
}

TEST_F(PgSmallPool, CopyIsRefusedAndCostsTheConnectionOnly) {
    run(pool.execute_script("CREATE TABLE t (id int)"));
    EXPECT_THROW(run(pool.execute({"copy_in", "COPY t FROM STDIN"})), SqlError);
    EXPECT_THROW(run(pool.execute_script("COPY t TO STDOUT")), SqlError);
    EXPECT_EQ(value(pool, "SELECT 1"), "1");
}

TEST_F(PgPool, LargeValuesGoBothWays) {
    const std::string big(30 * 1024 * 1024, 'x');
    Params params;
    params.text(big);
    const Rows rows = run(pool.execute({"echo", "SELECT $1::text"}, params));
    EXPECT_EQ(rows.text(0, 0).size(), big.size());
    // Both directions full at once: the answers to the first statements while the last are sent.
    const Statement echo{"echo_4mb", "SELECT $1::text, repeat('y', 4000000)"};
    std::vector<Pool::Step> steps;
    for (int i = 0; i < 8; ++i) {
        Params chunk;
        chunk.text(std::string_view(big).substr(0, 4'000'000));
        steps.push_back({&echo, std::move(chunk)});
    }
    const auto results = run(pool.execute_together(std::move(steps)));
    for (const Rows& result : results) EXPECT_EQ(result.text(0, 1).size(), 4'000'000U);
}

TEST_F(PgPool, TwoHundredCallersShareFourConnections) {
    run(pool.execute_script("CREATE TABLE counter (n bigint); INSERT INTO counter VALUES (0)"));
    int done = 0;
    const Statement bump{"bump", "UPDATE counter SET n = n + $1 RETURNING n"};
    const auto caller = [&]() -> Task<> {
        Params one;
        one.bigint(1);
        for (int i = 0; i < 5; ++i) co_await pool.execute(bump, one);
        ++done;
    };
    for (int i = 0; i < 200; ++i) spawn(io.get_executor(), "caller", caller());
    ASSERT_TRUE(until([&] { return done == 200; }));
    EXPECT_EQ(db.sql("SELECT n FROM counter"), "1000");
    EXPECT_LE(std::stoi(db.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                               "current_database() AND application_name = 'rollcall'")),
              4);
    EXPECT_EQ(sample("rollcall_db_connections{pool=\"main\",state=\"busy\"}"), 0);
    EXPECT_EQ(sample("rollcall_db_connections{pool=\"main\",state=\"idle\"}"), 4);
    EXPECT_EQ(sample("rollcall_db_pool_wait_seconds_count{pool=\"main\"}"), 1001);
    EXPECT_EQ(sample("rollcall_db_query_duration_seconds_count{statement=\"bump\"}"), 1000);
}

TEST_F(PgSmallPool, WaitersAreServedInTheirOrder) {
    std::vector<int> order;
    const auto caller = [&](int number) -> Task<> {
        co_await pool.execute({"nap", "SELECT pg_sleep(0.002)"});
        order.push_back(number);
    };
    std::vector<int> expected;
    for (int i = 0; i < 20; ++i) {
        spawn(io.get_executor(), "caller", caller(i));
        expected.push_back(i);
    }
    ASSERT_TRUE(until([&] { return order.size() == expected.size(); }));
    EXPECT_EQ(order, expected);
}

// fault 16
TEST_F(PgPool, AnExhaustedPoolSaysSoInTime) {
    DatabaseConfig config = db.config();
    config.acquire_timeout = 500ms;
    Pool small(io.get_executor(), "small", 2, config, metrics);
    {
        const Transaction one = run(small.begin());
        const Transaction two = run(small.begin());
        const auto begun = std::chrono::steady_clock::now();
        try {
            run(small.execute({"value", "SELECT 1"}));
            FAIL();
        } catch (const Unavailable& error) {
            EXPECT_THAT(error.what(), HasSubstr("pool \"small\" exhausted"));
        }
        EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
        EXPECT_EQ(sample("rollcall_db_pool_timeouts_total{pool=\"small\"}"), 1);
        EXPECT_EQ(sample("rollcall_db_connections{pool=\"small\",state=\"busy\"}"), 2);
        EXPECT_EQ(sample("rollcall_db_connections_max{pool=\"small\"}"), 2);
    }
    EXPECT_EQ(value(small, "SELECT 1"), "1");
    EXPECT_EQ(sample("rollcall_db_connections{pool=\"small\",state=\"busy\"}"), 0);
}

TEST_F(PgPool, AStatementThatTakesTooLongIsStoppedOnTheServerToo) {
    DatabaseConfig config = db.config();
    config.statement_timeout = 100ms;
    config.application_name = "hasty";
    Pool hasty(io.get_executor(), "hasty", 1, config, metrics);
    const auto begun = std::chrono::steady_clock::now();
    try {
        run(hasty.execute({"nap", "SELECT pg_sleep(60)"}));
        FAIL();
    } catch (const Unavailable& error) {
        EXPECT_THAT(error.what(), HasSubstr("100 ms"));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
    EXPECT_TRUE(until([&] {
        return db.sql(
                   "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hasty' "
                   "AND state = 'active'") == "0";
    }));
    EXPECT_EQ(value(hasty, "SELECT 1"), "1");
    // The limit is each statement's own, however long the connection has been in use.
    for (int i = 0; i < 6; ++i) value(hasty, "SELECT pg_sleep(0.03)");
    EXPECT_THROW(run(hasty.execute_script("SELECT pg_sleep(60)")), Unavailable);
    EXPECT_EQ(value(hasty, "SELECT 1"), "1");
}

TEST_F(PgPool, AServerSideTimeoutIsUnavailableToo) {
    const Statement set{"limit", "SELECT set_config('statement_timeout', '20ms', true)"};
    const Statement nap{"nap", "SELECT pg_sleep(60)"};
    std::vector<Pool::Step> steps;
    steps.push_back({&set, {}});
    steps.push_back({&nap, {}});
    EXPECT_THROW(run(pool.execute_together(std::move(steps))), Unavailable);
    EXPECT_EQ(value(pool, "SHOW statement_timeout"), "0");
}

TEST_F(PgPool, ACallerThatGoesAwayTakesItsConnectionWithIt) {
    using asio::experimental::awaitable_operators::operator||;
    DatabaseConfig config = db.config();
    config.application_name = "goer";
    Pool one(io.get_executor(), "one", 1, config, metrics);
    value(one, "SELECT 1");
    const auto impatient = [&]() -> Task<> {
        const auto first = co_await (one.execute({"nap", "SELECT pg_sleep(60)"}) || sleep(30ms));
        EXPECT_EQ(first.index(), 1U);
    };
    run(impatient());
    EXPECT_EQ(value(one, "SELECT 'next'"), "next");
    EXPECT_TRUE(until([&] {
        return db.sql(
                   "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'goer' "
                   "AND state = 'active'") == "0";
    }));
}

TEST_F(PgSmallPool, AWaiterThatGoesAwayDoesNotHoldUpTheNext) {
    using asio::experimental::awaitable_operators::operator||;
    const auto waits = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute({"one", "SELECT 1"});
        const auto first = co_await (pool.execute({"two", "SELECT 2"}) || sleep(10ms));
        EXPECT_EQ(first.index(), 1U);
        co_await tx.commit();
        const Rows rows = co_await pool.execute({"three", "SELECT 3"});
        EXPECT_EQ(rows.text(0, 0), "3");
    };
    run(waits());
}

TEST_F(PgPool, AnEventLoopMayEndWithCallsUnderWay) {
    auto loop = std::make_unique<asio::io_context>();
    auto inner = std::make_unique<Pool>(loop->get_executor(), "inner", 2, db.config(), metrics);
    const auto caller = [](Pool& p) -> Task<> {
        Transaction tx = co_await p.begin();
        co_await tx.execute({"nap", "SELECT pg_sleep(60)"});
    };
    for (int i = 0; i < 5; ++i) spawn(loop->get_executor(), "caller", caller(*inner));
    ASSERT_TRUE(test::wait_until(*loop, [&] {
        return db.sql(
                   "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                   "AND state = 'active' AND pid <> pg_backend_pid()") == "2";
    }));
    inner.reset();
    loop.reset();
    EXPECT_TRUE(until([&] {
        return db.sql(
                   "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                   "AND state = 'active' AND pid <> pg_backend_pid()") == "0";
    }));
}

TEST_F(PgPool, StopWaitsForCallersAndThenClosesTheDoor) {
    Pool closing(io.get_executor(), "closing", 1, db.config(), metrics);
    std::vector<std::string> events;
    const auto caller = [&]() -> Task<> {
        co_await closing.execute({"nap", "SELECT pg_sleep(0.05)"});
        events.emplace_back("done");
    };
    const auto stopper = [&]() -> Task<> {
        co_await closing.stop();
        events.emplace_back("stopped");
    };
    spawn(io.get_executor(), "caller", caller());
    spawn(io.get_executor(), "caller", caller());
    spawn(io.get_executor(), "stopper", stopper());
    spawn(io.get_executor(), "stopper", stopper());
    ASSERT_TRUE(until([&] { return events.size() == 4; }));
    EXPECT_THAT(events, ElementsAre("done", "done", "stopped", "stopped"));
    EXPECT_THROW(run(closing.execute({"value", "SELECT 1"})), Unavailable);
    run(closing.stop());
    // Nothing is left for the loop to do.
    run(pool.stop());
    io.restart();
    io.run_for(5s);
    EXPECT_TRUE(io.stopped());
}

TEST_F(PgPool, HealthyAsksOnlyWhenItDoesNotKnow) {
    EXPECT_TRUE(run(pool.healthy(10s)));
    const double asked = sample("rollcall_db_query_duration_seconds_count{statement=\"ping\"}");
    EXPECT_TRUE(run(pool.healthy(10s)));
    EXPECT_EQ(sample("rollcall_db_query_duration_seconds_count{statement=\"ping\"}"), asked);
    EXPECT_TRUE(run(pool.healthy(0ms)));
    EXPECT_EQ(sample("rollcall_db_query_duration_seconds_count{statement=\"ping\"}"), asked + 1);
}

TEST_F(PgPool, LeavesNoSessionStateAndTellsItsName) {
    EXPECT_EQ(value(pool, "SHOW application_name"), "rollcall");
    EXPECT_EQ(value(pool, "SHOW client_encoding"), "UTF8");
    EXPECT_EQ(value(pool, "SELECT count(*) FROM pg_settings WHERE source = 'session'"), "0");
}

TEST_F(PgPool, WorksWithoutPreparedStatements) {
    DatabaseConfig config = db.config();
    config.prepared_statements = false;
    Pool plain(io.get_executor(), "plain", 1, config, metrics);
    run(plain.execute_script("CREATE TABLE t (id bigint)"));
    const auto use = [&]() -> Task<> {
        Params params;
        params.bigint(1);
        const Statement insert{"insert_t", "INSERT INTO t VALUES ($1)"};
        co_await plain.execute(insert, params);
        Transaction tx = co_await plain.begin();
        co_await tx.execute(insert, params);
        co_await tx.execute(insert, params);
        co_await tx.commit();
    };
    run(use());
    EXPECT_EQ(value(plain, "SELECT count(*) FROM t"), "3");
    EXPECT_EQ(value(plain, "SELECT count(*) FROM pg_prepared_statements"), "0");
}

TEST_F(PgPool, MetricsExistBeforeTheFirstCall) {
    const std::string page = metrics.render();
    for (const char* name :
         {"rollcall_db_connections{pool=\"main\",state=\"idle\"} 0",
          "rollcall_db_connections{pool=\"main\",state=\"busy\"} 0",
          "rollcall_db_connections_max{pool=\"main\"} 4", "rollcall_db_pool_wait_seconds_count",
          "rollcall_db_pool_timeouts_total{pool=\"main\"} 0", "rollcall_db_query_duration_seconds",
          "rollcall_db_errors_total{sqlstate_class=\"08\"} 0"}) {
        EXPECT_THAT(page, HasSubstr(name));
    }
}

}  // namespace
}  // namespace rollcall::pg
