#include "pg_fixture.hpp"

#include "base/log.hpp"
#include "support/fault_proxy.hpp"

#include <csignal>

namespace rollcall::pg {
namespace {

using testing::HasSubstr;
using testing::Not;

// A server that the tests may stop.
class PgFault : public PgTest {
protected:
    static test::Postgres& server() {
        static test::Postgres own;
        return own;
    }
    [[nodiscard]] DatabaseConfig config() const { return db.config(); }
    [[nodiscard]] DatabaseConfig through(const test::FaultProxy& proxy) const {
        DatabaseConfig config = db.config();
        config.url = Secret("postgresql://postgres@127.0.0.1:" + std::to_string(proxy.port()) +
                            "/" + db.name());
        return config;
    }
    std::string error_of(Task<Rows> task) {
        try {
            run(std::move(task));
        } catch (const Unavailable& error) {
            return error.what();
        }
        return "";
    }
    // Returns when they are gone.
    std::string terminate_others() {
        return db.sql(
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()");
    }
    // Runs statements until one gets through.
    [[nodiscard]] bool recovers(Pool& pool) {
        return until([&] { return run(pool.healthy(0ms)); });
    }

    test::Database db{server()};
};

constexpr Statement one{"one", "SELECT 1"};

TEST_F(PgFault, AConnectionTerminatedWhileIdleIsReplacedUnseen) {
    Pool pool(io.get_executor(), "main", 2, config(), metrics);
    value(pool, "SELECT 1");
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(terminate_others(), "1");
        EXPECT_TRUE(until([&] {
            return db.sql(
                       "SELECT count(*) FROM pg_stat_activity WHERE datname = "
                       "current_database() AND pid <> pg_backend_pid()") == "0";
        }));
        EXPECT_EQ(value(pool, "SELECT 'again'"), "again");
    }
}

TEST_F(PgFault, AConnectionTerminatedInUseIsUnavailable) {
    Pool pool(io.get_executor(), "main", 2, config(), metrics);
    std::string seen;
    const auto caller = [&]() -> Task<> {
        try {
            co_await pool.execute({"nap", "SELECT pg_sleep(60)"});
        } catch (const Unavailable& error) {
            seen = error.what();
        }
    };
    spawn(io.get_executor(), "caller", caller());
    ASSERT_TRUE(until([&] {
        return db.sql(
                   "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                   "AND state = 'active' AND pid <> pg_backend_pid()") == "1";
    }));
    terminate_others();
    ASSERT_TRUE(until([&] { return !seen.empty(); }));
    EXPECT_THAT(seen, HasSubstr("57P01"));
    EXPECT_EQ(value(pool, "SELECT 1"), "1");
    EXPECT_EQ(sample("rollcall_db_errors_total{sqlstate_class=\"57\"}"), 1);
}

TEST_F(PgFault, ATransactionCutOffIsGone) {
    Pool pool(io.get_executor(), "main", 1, config(), metrics);
    run(pool.execute_script("CREATE TABLE t (id int)"));
    const auto use = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute({"insert_t", "INSERT INTO t VALUES (1)"});
        terminate_others();
        co_await tx.commit();
    };
    EXPECT_THROW(run(use()), Unavailable);
    EXPECT_EQ(value(pool, "SELECT count(*) FROM t"), "0");
}

TEST_F(PgFault, SurvivesACrashAndRestartUnderUse) {
    const log::Capture quiet;
    Pool pool(io.get_executor(), "main", 4, config(), metrics);
    run(pool.execute_script("CREATE TABLE t (id int)"));
    int committed = 0;
    int unknown = 0;
    bool stop = false;
    int running = 0;
    const auto worker = [&]() -> Task<> {
        ++running;
        while (!stop) {
            const int before = unknown;
            try {
                co_await pool.execute({"insert_t", "INSERT INTO t VALUES (1)"});
                ++committed;
            } catch (const Unavailable&) {
                ++unknown;
            }
            if (unknown > before) co_await sleep(2ms);
        }
        --running;
    };
    for (int i = 0; i < 20; ++i) spawn(io.get_executor(), "worker", worker());
    for (int round = 0; round < 3; ++round) {
        const int before = committed;
        ASSERT_TRUE(until([&] { return committed > before + 50; }));
        server().stop_immediate();
        const int failed = unknown;
        ASSERT_TRUE(until([&] { return unknown > failed + 20; }));
        server().start();
    }
    const int before = committed;
    ASSERT_TRUE(until([&] { return committed > before + 50; }));
    stop = true;
    ASSERT_TRUE(until([&] { return running == 0; }));
    EXPECT_GT(unknown, 0);
    // Every acknowledged row is there, and at most those of unknown outcome besides.
    const int rows = std::stoi(db.sql("SELECT count(*) FROM t"));
    EXPECT_GE(rows, committed);
    EXPECT_LE(rows, committed + unknown);
    EXPECT_THAT(quiet.text(), HasSubstr("\"database_away\""));
    EXPECT_THAT(quiet.text(), HasSubstr("\"database_back\""));
}

TEST_F(PgFault, AFirmAnswerIsKeptWhenTheAnswerToCommitIsLost) {
    test::FaultProxy proxy(server().socket_path());
    Pool pool(io.get_executor(), "main", 1, through(proxy), metrics);
    run(pool.execute_script("CREATE TABLE t (id int)"));
    proxy.lose_answer_to("INSERT INTO t");
    const std::string whole = error_of(pool.execute({"insert_t", "INSERT INTO t VALUES (1)"}));
    EXPECT_THAT(whole, HasSubstr("outcome unknown"));
    EXPECT_EQ(db.sql("SELECT count(*) FROM t"), "1");  // it was done, and not done twice

    const auto use = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute({"insert_t", "INSERT INTO t VALUES (1)"});
        proxy.lose_answer_to("commit_");
        co_await tx.commit();
    };
    EXPECT_THROW(run(use()), Unavailable);
    EXPECT_EQ(db.sql("SELECT count(*) FROM t"), "2");
    EXPECT_EQ(value(pool, "SELECT 1"), "1");
}

TEST_F(PgFault, AStatementCutOffOnItsWayIsNotSentAgain) {
    test::FaultProxy proxy(server().socket_path());
    Pool pool(io.get_executor(), "main", 1, through(proxy), metrics);
    run(pool.execute_script("CREATE TABLE t (word text)"));
    proxy.cut_after(100'000);
    Params params;
    params.text(std::string(5'000'000, 'x'));
    const std::string text =
        error_of(pool.execute({"insert_t", "INSERT INTO t VALUES ($1)"}, params));
    EXPECT_THAT(text, HasSubstr("lost"));
    EXPECT_EQ(db.sql("SELECT count(*) FROM t"), "0");
    EXPECT_EQ(value(pool, "SELECT count(*) FROM t"), "0");
}

TEST_F(PgFault, ASilentNetworkIsNoticedInTime) {
    test::FaultProxy proxy(server().socket_path());
    DatabaseConfig limits = through(proxy);
    limits.statement_timeout = 150ms;
    limits.connect_timeout = 150ms;
    limits.acquire_timeout = 1s;
    Pool pool(io.get_executor(), "main", 2, limits, metrics);
    ASSERT_TRUE(recovers(pool));  // its limits are short for a machine that is busy
    proxy.stall(true);
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_THAT(error_of(pool.execute(one)), HasSubstr("150 ms"));
    EXPECT_THAT(error_of(pool.execute(one)), HasSubstr("timed out"));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
    proxy.stall(false);
    EXPECT_TRUE(recovers(pool));
}

TEST_F(PgFault, WhileAwayCallersFailAtOnceAndOneProbeAsks) {
    const log::Capture quiet;
    test::FaultProxy proxy(server().socket_path());
    DatabaseConfig limits = through(proxy);
    limits.reconnect = {.base = 50ms, .max = 100ms};
    Pool pool(io.get_executor(), "main", 8, limits, metrics);
    value(pool, "SELECT 1");
    proxy.refuse(true);
    proxy.cut();
    ASSERT_TRUE(until([&] { return proxy.forwarding() == 0; }));
    const int before = proxy.accepted();

    int failed = 0;
    std::chrono::steady_clock::duration slowest{};
    const auto caller = [&]() -> Task<> {
        const auto begun = std::chrono::steady_clock::now();
        try {
            co_await pool.execute(one);
        } catch (const Unavailable&) {
            ++failed;
        }
        slowest = std::max(slowest, std::chrono::steady_clock::now() - begun);
    };
    for (int i = 0; i < 200; ++i) spawn(io.get_executor(), "caller", caller());
    ASSERT_TRUE(until([&] { return failed == 200; }));
    EXPECT_LT(slowest, 2s);
    EXPECT_LE(proxy.accepted() - before, 3);  // 200 callers, 8 places, hardly any attempt

    // Nobody calls, and the probe goes on; nor does a crowd make it go faster.
    const int idle = proxy.accepted();
    ASSERT_TRUE(until([&] { return proxy.accepted() > idle + 2; }));
    failed = 0;
    for (int i = 0; i < 200; ++i) spawn(io.get_executor(), "caller", caller());
    ASSERT_TRUE(until([&] { return failed == 200; }));
    proxy.refuse(false);
    EXPECT_TRUE(until([&] {
        return sample("rollcall_db_connections{pool=\"main\",state=\"idle\"}") == 1;
    })) << "the probe itself finds the database back";
    EXPECT_EQ(value(pool, "SELECT 'back'"), "back");
}

TEST_F(PgFault, AwayFromTheStartIsTheSame) {
    const log::Capture quiet;
    DatabaseConfig nowhere = config();
    nowhere.url = Secret("postgresql://postgres:hunter2secret@127.0.0.1:1/x");
    Pool pool(io.get_executor(), "main", 2, nowhere, metrics);
    const std::string text = error_of(pool.execute(one));
    EXPECT_THAT(text, HasSubstr("database is away"));
    EXPECT_THAT(text, Not(HasSubstr("hunter2")));
    EXPECT_FALSE(run(pool.healthy(10s)));
    EXPECT_THAT(quiet.text(), Not(HasSubstr("hunter2")));
    EXPECT_GE(sample("rollcall_db_errors_total{sqlstate_class=\"08\"}"), 1);
}

TEST_F(PgFault, WaitsForNoLongerThanTheAcquireTimeout) {
    test::FaultProxy proxy(server().socket_path());
    proxy.stall(true);
    DatabaseConfig limits = through(proxy);
    limits.connect_timeout = 20s;
    limits.acquire_timeout = 100ms;
    Pool pool(io.get_executor(), "main", 2, limits, metrics);
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_THAT(error_of(pool.execute(one)), HasSubstr("100 ms"));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
    proxy.stall(false);
    EXPECT_TRUE(recovers(pool));
    EXPECT_EQ(proxy.accepted(), 1);  // the attempt went on without its caller
}

TEST_F(PgFault, AFrozenServerDoesNotHoldUpTheEnd) {
    auto loop = std::make_unique<asio::io_context>();
    DatabaseConfig limits = config();
    limits.statement_timeout = 100ms;
    limits.connect_timeout = 100ms;
    auto pool = std::make_unique<Pool>(loop->get_executor(), "frozen", 1, limits, metrics);
    const auto ping = [&]() -> Task<> { co_await pool->execute(one); };
    test::run(*loop, ping());
    server().signal(SIGSTOP);
    // The cancel request and the next connection meet a server that says nothing.
    const auto begun = std::chrono::steady_clock::now();
    const auto nap = [&]() -> Task<> { co_await pool->execute({"nap", "SELECT pg_sleep(60)"}); };
    EXPECT_THROW(test::run(*loop, nap()), Unavailable);
    EXPECT_THROW(test::run(*loop, ping()), Unavailable);
    pool.reset();
    loop.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
    server().signal(SIGCONT);
    EXPECT_TRUE(until([&] {
        return db.sql(
                   "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                   "AND state = 'active' AND pid <> pg_backend_pid()") == "0";
    }));
}

TEST_F(PgFault, LostPreparedStatementsArePreparedAgain) {
    Pool pool(io.get_executor(), "main", 1, config(), metrics);
    run(pool.execute_script("CREATE TABLE t (id int)"));
    const Statement insert{"insert_t", "INSERT INTO t VALUES (1) RETURNING 7"};
    EXPECT_EQ(run(pool.execute(insert)).bigint(0, 0), 7);
    run(pool.execute_script("DEALLOCATE ALL"));
    EXPECT_EQ(run(pool.execute(insert)).bigint(0, 0), 7);
    run(pool.execute_script("DISCARD ALL"));
    const auto first_of_transaction = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        const Rows rows = co_await tx.execute(insert);
        EXPECT_EQ(rows.bigint(0, 0), 7);
        co_await tx.commit();
    };
    run(first_of_transaction());
    EXPECT_EQ(db.sql("SELECT count(*) FROM t"), "3");
    // In the middle of a transaction it cannot be repeated here.
    const auto later = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute({"deallocate", "DEALLOCATE ALL"});
        co_await tx.execute(insert);
    };
    EXPECT_THROW(run(later()), Unavailable);
    run(first_of_transaction());
    std::vector<Pool::Step> steps;
    steps.push_back({&insert, {}});
    steps.push_back({&insert, {}});
    run(pool.execute_script("DEALLOCATE ALL"));
    EXPECT_EQ(run(pool.execute_together(std::move(steps)))[1].bigint(0, 0), 7);
    EXPECT_EQ(db.sql("SELECT count(*) FROM t"), "6");
}

TEST_F(PgFault, APlanOfYesterdaysTableIsMadeAnew) {
    Pool pool(io.get_executor(), "main", 1, config(), metrics);
    run(pool.execute_script("CREATE TABLE t (id int); INSERT INTO t VALUES (1)"));
    const Statement all{"all_t", "SELECT * FROM t"};
    EXPECT_EQ(run(pool.execute(all)).columns(), 1);
    db.sql("ALTER TABLE t ADD COLUMN word text DEFAULT 'w'");
    EXPECT_EQ(run(pool.execute(all)).columns(), 2);
    db.sql("ALTER TABLE t ALTER COLUMN id TYPE text");
    const auto first_of_transaction = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        const Rows rows = co_await tx.execute(all);
        EXPECT_EQ(rows.columns(), 2);
        co_await tx.commit();
    };
    run(first_of_transaction());
}

TEST_F(PgFault, NamesThatAPoolerMixesUpAreGivenUp) {
    const log::Capture quiet;
    Pool pool(io.get_executor(), "main", 1, config(), metrics);
    const Statement three{"three", "SELECT 3"};
    run(pool.execute(one));
    EXPECT_EQ(run(pool.execute(three)).bigint(0, 0), 3);
    // What a pooler does: the server has the name, and this connection does not know.
    const Rows prepared = run(pool.execute({"names",
                                            "SELECT name FROM pg_prepared_statements "
                                            "WHERE name LIKE 'three%'"}));
    const std::string name(prepared.text(0, 0));
    run(pool.execute_script("DEALLOCATE ALL"));
    run(pool.execute(one));  // forgets all names
    run(pool.execute_script("PREPARE \"" + name + "\" AS SELECT 3"));
    EXPECT_EQ(run(pool.execute(three)).bigint(0, 0), 3);
    EXPECT_EQ(run(pool.execute(three)).bigint(0, 0), 3);
    EXPECT_THAT(quiet.text(), HasSubstr("prepared_statements_given_up"));
}

TEST_F(PgFault, AReadOnlyServerIsUnavailableAndLeft) {
    Pool pool(io.get_executor(), "main", 1, config(), metrics);
    run(pool.execute_script("CREATE TABLE t (id int)"));
    db.sql("ALTER DATABASE " + db.name() + " SET default_transaction_read_only = on");
    terminate_others();
    EXPECT_THAT(error_of(pool.execute({"insert_t", "INSERT INTO t VALUES (1)"})),
                HasSubstr("25006"));
    db.sql("BEGIN READ WRITE; ALTER DATABASE " + db.name() +
           " RESET default_transaction_read_only; COMMIT");
    EXPECT_EQ(run(pool.execute({"insert_t", "INSERT INTO t VALUES (1)"})).affected(), 1);
}

TEST_F(PgFault, TooManyClientsIsUnavailable) {
    db.sql("ALTER DATABASE " + db.name() + " CONNECTION LIMIT 0");
    db.sql("CREATE ROLE limited LOGIN");
    DatabaseConfig limited = config();
    std::string url(limited.url.reveal());
    url.replace(url.find("postgres@"), 9, "limited@");
    limited.url = Secret(url);
    const log::Capture quiet;
    Pool pool(io.get_executor(), "main", 1, limited, metrics);
    EXPECT_THAT(error_of(pool.execute(one)), HasSubstr("too many connections"));
    db.sql("DROP ROLE limited; ALTER DATABASE " + db.name() + " CONNECTION LIMIT -1");
}

}  // namespace
}  // namespace rollcall::pg
