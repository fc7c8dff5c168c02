// Callers of every kind against a network and a server that fail in every way, from a seed. What
// must hold: what was acknowledged is there, nothing was done twice, transactions are whole, and
// the pool is as good as new afterwards.
#include "pg_fixture.hpp"

#include "base/log.hpp"
#include "base/random.hpp"
#include "support/fault_proxy.hpp"

#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>

namespace rollcall::pg {
namespace {

constexpr Statement insert{"insert_t", "INSERT INTO t VALUES ($1, $2)"};

class PgChaos : public PgTest, public testing::WithParamInterface<std::uint64_t> {
protected:
    // Of its own: the proxy must know its socket.
    static test::Postgres& server() {
        static test::Postgres own;
        return own;
    }
    DatabaseConfig config() const {
        DatabaseConfig config = db.config();
        config.url = Secret("postgresql://postgres@127.0.0.1:" + std::to_string(proxy.port()) +
                            "/" + db.name());
        config.statement_timeout = 100ms;
        config.connect_timeout = 100ms;
        config.acquire_timeout = 150ms;
        config.reconnect = {.base = 5ms, .max = 20ms};
        return config;
    }
    static Params row(std::int64_t group, std::int64_t part) {
        Params params;
        params.bigint(group).bigint(part);
        return params;
    }

    Task<> work(std::int64_t group, int kind);
    Task<> caller();
    Task<> trouble();

    const log::Capture quiet;
    test::Database db{server()};
    test::FaultProxy proxy{server().socket_path()};
    Pool pool{io.get_executor(), "main", 4, config(), metrics};
    Random random{GetParam()};
    std::int64_t groups = 0;
    std::vector<std::int64_t> acknowledged;
    std::vector<std::int64_t> withdrawn;
    int running = 0;
    bool stop = false;
};

// One group of three rows, however it is written.
Task<> PgChaos::work(std::int64_t group, int kind) {
    if (kind == 0) {
        std::vector<Pool::Step> steps;
        for (int part = 0; part < 3; ++part) steps.push_back({&insert, row(group, part)});
        co_await pool.execute_together(std::move(steps));
    } else if (kind == 1) {
        Params params;
        params.bigint(group);
        co_await pool.execute(
            {"insert_3", "INSERT INTO t SELECT $1, generate_series(0, 2), repeat('x', 20000)"},
            params);
    } else {
        Transaction tx = co_await pool.begin();
        for (int part = 0; part < 3; ++part) co_await tx.execute(insert, row(group, part));
        if (kind == 2) {  // rolls back
            withdrawn.push_back(group);
            co_return;
        }
        co_await tx.commit();
    }
    acknowledged.push_back(group);
}

Task<> PgChaos::caller() {
    using asio::experimental::awaitable_operators::operator||;
    ++running;
    while (!stop) {
        const std::int64_t group = ++groups;
        const auto kind = static_cast<int>(random.between(0, 3));
        const bool impatient = random.between(0, 9) == 0;
        const auto patience = std::chrono::microseconds(random.between(0, 20'000));
        try {
            if (impatient) {
                co_await (work(group, kind) || sleep(patience));
            } else {
                co_await work(group, kind);
            }
        } catch (const Unavailable&) {
        }
        co_await sleep(std::chrono::microseconds(random.between(0, 2'000)));
    }
    --running;
}

Task<> PgChaos::trouble() {
    while (!stop) {
        co_await sleep(std::chrono::milliseconds(random.between(1, 40)));
        switch (random.between(0, 6)) {
            case 0:
                proxy.cut();
                break;
            case 1:
                proxy.cut_after(static_cast<std::size_t>(random.between(1, 20'000)));
                break;
            case 2:
                proxy.lose_answer_to("commit_");
                break;
            case 3:
                proxy.lose_answer_to("insert_");
                break;
            case 4:
                proxy.stall(true);
                co_await sleep(std::chrono::milliseconds(random.between(1, 250)));
                proxy.stall(false);
                break;
            case 5:
                proxy.refuse(true);
                co_await sleep(std::chrono::milliseconds(random.between(1, 60)));
                proxy.refuse(false);
                break;
            default:
                db.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                    "current_database() AND pid <> pg_backend_pid() AND random() < 0.5");
        }
    }
}

std::string listed(const std::vector<std::int64_t>& groups) {
    std::string list;
    for (const std::int64_t group : groups)
        list += (list.empty() ? "" : ",") + std::to_string(group);
    return "unnest('{" + list + "}'::bigint[]) AS listed (grp)";
}

TEST_P(PgChaos, EndsWell) {
    db.sql("CREATE TABLE t (grp bigint, part bigint, filler text)");
    for (int i = 0; i < 30; ++i) spawn(io.get_executor(), "caller", caller());
    spawn(io.get_executor(), "trouble", trouble());
    ASSERT_TRUE(until([&] { return acknowledged.size() > 1'000; }, 60s));
    stop = true;
    ASSERT_TRUE(until([&] { return running == 0; }));
    ASSERT_TRUE(until([&] { return run(pool.healthy(0ms)); }));
    ASSERT_TRUE(until(
        [&] { return sample("rollcall_db_connections{pool=\"main\",state=\"busy\"}") == 0; }));
    EXPECT_GE(sample("rollcall_db_connections{pool=\"main\",state=\"idle\"}"), 1);
    EXPECT_LE(sample("rollcall_db_connections{pool=\"main\",state=\"idle\"}"), 4);
    // What was under way when its connection went may still be at work.
    EXPECT_TRUE(until([&] {
        return db.sql(
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                   "AND (state = 'active' OR state LIKE 'idle in tr%') AND pid <> "
                   "pg_backend_pid()") == "0";
    }));
    EXPECT_EQ(db.sql("SELECT count(*) FROM (SELECT grp FROM t GROUP BY grp HAVING count(*) <> 3 OR "
                     "count(DISTINCT part) <> 3) AS torn"),
              "0");
    EXPECT_EQ(db.sql("SELECT count(*) FROM " + listed(acknowledged) +
                     " WHERE NOT "
                     "EXISTS (SELECT FROM t WHERE t.grp = listed.grp)"),
              "0");
    EXPECT_EQ(db.sql("SELECT count(*) FROM " + listed(withdrawn) + " JOIN t USING (grp)"), "0");
    EXPECT_THAT(std::string(quiet.text()), testing::Not(testing::HasSubstr("task_failed")));
}

INSTANTIATE_TEST_SUITE_P(Seeds, PgChaos, testing::Values(1, 2, 3));

}  // namespace
}  // namespace rollcall::pg
