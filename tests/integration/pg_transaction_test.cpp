#include "pg_fixture.hpp"

namespace rollcall::pg {
namespace {

using testing::HasSubstr;

constexpr Statement insert{"insert_t", "INSERT INTO t VALUES ($1)"};
constexpr Statement count{"count_t", "SELECT count(*) FROM t"};

class PgTransaction : public PoolTest {
protected:
    PgTransaction() : PoolTest(2) {
        run(
            pool.execute_script("CREATE TABLE t (id int CONSTRAINT t_key UNIQUE "
                                "DEFERRABLE INITIALLY IMMEDIATE)"));
    }
    static Params number(int n) {
        Params params;
        params.integer(n);
        return params;
    }
    std::string rows() { return db.sql("SELECT count(*) FROM t"); }
};

TEST_F(PgTransaction, CommitsWhatItDid) {
    const auto use = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute(insert, number(1));
        co_await tx.execute(insert, number(2));
        const Rows seen = co_await tx.execute(count);
        EXPECT_EQ(seen.bigint(0, 0), 2);
        EXPECT_EQ(rows(), "0");
        co_await tx.commit();
    };
    run(use());
    EXPECT_EQ(rows(), "2");
}

// Of the tests' own: a statement beside the loop must not wait for a lock that only the loop frees.
TEST_F(PgTransaction, AStatementBesideTheLoopLetsItEndWhatHoldsTheLock) {
    db.sql("INSERT INTO t VALUES (1)");
    bool holds = false;
    const auto hold = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute({"hold", "UPDATE t SET id = 2"});
        holds = true;
        co_await sleep(std::chrono::milliseconds(100));
        co_await tx.commit();
    };
    spawn(io.get_executor(), "hold", hold());
    ASSERT_TRUE(until([&] { return holds; }));
    EXPECT_EQ(db.sql("UPDATE t SET id = id + 10 RETURNING id", io), "12");
}

TEST_F(PgTransaction, AnEmptyOneSendsNothing) {
    const auto use = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.commit();
        const Transaction unused = co_await pool.begin();
    };
    const std::string name = "rollcall_db_query_duration_seconds_count{statement=\"commit\"}";
    const double before = sample(name);
    run(use());
    EXPECT_EQ(sample(name), before);
}

TEST_F(PgTransaction, IsReadCommitted) {
    const auto use = [&]() -> Task<std::string> {
        Transaction tx = co_await pool.begin();
        const Rows level = co_await tx.execute({"level", "SHOW transaction_isolation"});
        co_return std::string(level.text(0, 0));
    };
    db.sql("ALTER DATABASE " + db.name() + " SET default_transaction_isolation = 'serializable'");
    Pool fresh(io.get_executor(), "fresh", 1, db.config(), metrics);
    EXPECT_EQ(run(use()), "read committed");
}

TEST_F(PgTransaction, RollsBackWhenItsScopeEnds) {
    const auto use = [&](bool fail) -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute(insert, number(1));
        if (fail) throw std::runtime_error("business");
    };
    run(use(false));
    EXPECT_THROW(run(use(true)), std::runtime_error);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(value(pool, "SELECT count(*) FROM t"), "0");
    EXPECT_TRUE(until(
        [&] { return sample("rollcall_db_connections{pool=\"main\",state=\"busy\"}") == 0; }));
    EXPECT_EQ(db.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                     "state LIKE 'idle in transaction%'"),
              "0");
}

TEST_F(PgTransaction, GoesOnlyBackAfterARefusal) {
    const auto use = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute(insert, number(1));
        const auto again = co_await tx.try_execute(insert, number(1));
        EXPECT_FALSE(again.has_value());
        EXPECT_TRUE(again.error().unique_violation());
        const auto more = co_await tx.try_execute(count);
        EXPECT_FALSE(more.has_value());
        EXPECT_EQ(more.error().sqlstate(), "25P02");
        const auto committed = co_await tx.try_commit();
        EXPECT_FALSE(committed.has_value());
        EXPECT_EQ(committed.error().sqlstate(), "25P02");
    };
    run(use());
    EXPECT_EQ(rows(), "0");
    EXPECT_EQ(value(pool, "SELECT 1"), "1");
}

TEST_F(PgTransaction, ARefusedFirstStatementIsRolledBackToo) {
    const auto use = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        const auto outcome = co_await tx.try_execute({"broken", "SELECT no_such_column"});
        EXPECT_FALSE(outcome.has_value());
        EXPECT_EQ(outcome.error().sqlstate(), "42703");
    };
    run(use());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(value(pool, "SELECT 1"), "1");
}

TEST_F(PgTransaction, CommitCanBeRefused) {
    run(pool.execute_script("CREATE TABLE d (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"));
    const auto use = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute({"twice", "INSERT INTO d VALUES (1), (1)"});
        co_await tx.commit();
    };
    EXPECT_THROW(run(use()), SqlError);
    EXPECT_EQ(db.sql("SELECT count(*) FROM d"), "0");
    EXPECT_EQ(value(pool, "SELECT 1"), "1");
}

TEST_F(PgTransaction, LastStatementAndCommitTravelTogether) {
    const auto use = [&](int first, int second) -> Task<Rows> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute(insert, number(first));
        co_return co_await tx.execute_and_commit(
            {"insert_returning", "INSERT INTO t VALUES ($1) RETURNING id"}, number(second));
    };
    EXPECT_EQ(run(use(1, 2)).bigint(0, 0), 2);
    EXPECT_EQ(rows(), "2");
    EXPECT_THROW(run(use(3, 1)), SqlError);
    EXPECT_EQ(rows(), "2");
    const auto alone = [&]() -> Task<Rows> {
        Transaction tx = co_await pool.begin();
        co_return co_await tx.execute_and_commit(count);
    };
    EXPECT_EQ(run(alone()).bigint(0, 0), 2);
}

TEST_F(PgTransaction, HoldsNoConnectionAfterItsCommit) {
    DatabaseConfig config = db.config();
    config.acquire_timeout = 200ms;
    Pool one(io.get_executor(), "one", 1, config, metrics);
    const auto use = [&]() -> Task<> {
        Transaction tx = co_await one.begin();
        co_await tx.execute(insert, number(1));
        co_await tx.commit();
        co_await one.execute(count);
    };
    run(use());
}

// fault 17
TEST_F(PgTransaction, SerializationFailuresAndDeadlocksSurfaceAsTransient) {
    run(pool.execute_script("INSERT INTO t VALUES (1), (2)"));
    const Statement update{"update_t", "UPDATE t SET id = id + 10 WHERE id = $1"};
    const Statement level{"level", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"};
    const auto conflict = [&]() -> Task<> {
        Transaction a = co_await pool.begin();
        co_await a.execute(level);
        co_await a.execute(count);
        co_await pool.execute(update, number(1));
        const auto late = co_await a.try_execute(update, number(1));
        EXPECT_FALSE(late.has_value());
        EXPECT_EQ(late.error().sqlstate(), "40001");
        EXPECT_TRUE(late.error().transient());
    };
    run(conflict());

    int victims = 0;
    int finished = 0;
    int holding = 0;
    const auto crossing = [&](int first, int second) -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute({"lock", "SELECT FROM t WHERE id = $1 FOR UPDATE"}, number(first));
        ++holding;
        while (holding < 2) co_await sleep(1ms);
        const auto outcome = co_await tx.try_execute(
            {"lock", "SELECT FROM t WHERE id = $1 FOR UPDATE"}, number(second));
        if (!outcome) {
            EXPECT_EQ(outcome.error().sqlstate(), "40P01");
            EXPECT_TRUE(outcome.error().transient());
            ++victims;
        }
        ++finished;
    };
    spawn(io.get_executor(), "crossing", crossing(11, 2));
    spawn(io.get_executor(), "crossing", crossing(2, 11));
    ASSERT_TRUE(until([&] { return finished == 2; }));
    EXPECT_EQ(victims, 1);
    EXPECT_EQ(sample("rollcall_db_transactions_retried_total{sqlstate=\"40001\"}"), 1);
    EXPECT_EQ(sample("rollcall_db_transactions_retried_total{sqlstate=\"40P01\"}"), 1);
}

TEST_F(PgTransaction, ScriptsRunInside) {
    const auto use = [&](bool commit) -> Task<> {
        Transaction tx = co_await pool.begin();
        const auto script = co_await tx.try_execute_script(
            "CREATE TABLE s (); INSERT INTO t VALUES (100); INSERT INTO t VALUES (101)");
        EXPECT_TRUE(script.has_value());
        if (commit) co_await tx.commit();
    };
    run(use(false));
    EXPECT_EQ(rows(), "0");
    run(use(true));
    EXPECT_EQ(rows(), "2");
    const auto ends_it = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        const auto script = co_await tx.try_execute_script("INSERT INTO t VALUES (102); COMMIT");
        EXPECT_FALSE(script.has_value());
        EXPECT_THAT(script.error().what(), HasSubstr("ended the transaction"));
    };
    run(ends_it());
    EXPECT_EQ(value(pool, "SELECT 1"), "1");
}

TEST_F(PgTransaction, CanBeMoved) {
    const auto use = [&]() -> Task<> {
        Transaction first = co_await pool.begin();
        co_await first.execute(insert, number(1));
        Transaction second = std::move(first);
        co_await second.execute(insert, number(2));
        co_await second.commit();
    };
    run(use());
    EXPECT_EQ(rows(), "2");
}

}  // namespace
}  // namespace rollcall::pg
