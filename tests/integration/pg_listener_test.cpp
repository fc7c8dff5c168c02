#include "pg_fixture.hpp"

#include "base/log.hpp"
#include "pg/listener.hpp"
#include "pg/notifier.hpp"
#include "support/fault_proxy.hpp"

namespace rollcall::pg {
namespace {

using testing::Contains;
using testing::ElementsAre;

class PgListener : public PoolTest {
protected:
    PgListener() : PoolTest(2) {}

    std::function<void(std::string_view)> remember() {
        return [this](std::string_view payload) { heard.emplace_back(payload); };
    }
    void notify(const std::string& channel, const std::string& payload) {
        db.sql("SELECT pg_notify('" + channel + "', '" + payload + "')");
    }

    const log::Capture quiet;
    std::vector<std::string> heard;
};

TEST_F(PgListener, HearsItsChannel) {
    Listener listener(io.get_executor(), db.config(), "Odd \"channel'", remember());
    spawn(io.get_executor(), "listener", listener.run());
    ASSERT_TRUE(until([&] { return listener.listening(); }));
    EXPECT_THAT(heard, ElementsAre(""));  // something may have been missed before
    db.sql("SELECT pg_notify('Odd \"channel''', 'one'), pg_notify('other', 'not for us')");
    db.sql("SELECT pg_notify('Odd \"channel''', 'two')");
    ASSERT_TRUE(until([&] { return heard.size() >= 3; }));
    EXPECT_THAT(heard, ElementsAre("", "one", "two"));
}

// fault 20
TEST_F(PgListener, ReconnectsAndWakesWhenItsConnectionIsTerminated) {
    Listener listener(io.get_executor(), db.config(), "jobs", remember());
    spawn(io.get_executor(), "listener", listener.run());
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(until([&] { return listener.listening(); }));
        heard.clear();
        db.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
            "AND pid <> pg_backend_pid()");
        ASSERT_TRUE(until([&] { return !heard.empty(); }));
        EXPECT_EQ(heard.front(), "");
        notify("jobs", "news");
        ASSERT_TRUE(until([&] { return heard.size() >= 2; }));
        EXPECT_THAT(heard, Contains("news"));
    }
}

TEST_F(PgListener, SurvivesARestart) {
    test::Postgres own;
    const test::Database inside(own);
    Listener listener(io.get_executor(), inside.config(), "jobs", remember());
    spawn(io.get_executor(), "listener", listener.run());
    ASSERT_TRUE(until([&] { return listener.listening(); }));
    own.stop_immediate();
    ASSERT_TRUE(until([&] { return !listener.listening(); }));
    own.start();
    ASSERT_TRUE(until([&] { return listener.listening(); }));
    inside.sql("SELECT pg_notify('jobs', 'after')");
    ASSERT_TRUE(until([&] { return !heard.empty() && heard.back() == "after"; }));
    listener.stop();
}

TEST_F(PgListener, StopsWhateverItIsDoing) {
    const auto ends = [&](Listener& listener, const std::function<bool()>& ready) {
        bool ended = false;
        const auto whole = [&]() -> Task<> {
            co_await listener.run();
            ended = true;
        };
        spawn(io.get_executor(), "listener", whole());
        EXPECT_TRUE(until(ready));
        listener.stop();
        listener.stop();
        return until([&] { return ended; }, 5s);
    };
    Listener listening(io.get_executor(), db.config(), "jobs", remember());
    EXPECT_TRUE(ends(listening, [&] { return listening.listening(); }));
    EXPECT_FALSE(listening.listening());

    test::FaultProxy silent(db.server().socket_path());
    silent.stall(true);
    DatabaseConfig config = db.config();
    config.connect_timeout = 60s;
    config.url = Secret("postgresql://postgres@127.0.0.1:" + std::to_string(silent.port()) + "/x");
    Listener connecting(io.get_executor(), config, "jobs", remember());
    EXPECT_TRUE(ends(connecting, [&] { return silent.accepted() == 1; }));

    config.url = Secret("postgresql://postgres@127.0.0.1:1/x");
    config.reconnect = {.base = 60s, .max = 60s};
    Listener waiting(io.get_executor(), config, "jobs", remember());
    const std::string log_line = "listen_lost";
    EXPECT_TRUE(ends(waiting, [&] { return quiet.text().contains(log_line); }));

    bool called_again = false;
    Listener unused(io.get_executor(), db.config(), "jobs",
                    [&](std::string_view) { called_again = true; });
    unused.stop();
    run(unused.run());
    EXPECT_FALSE(called_again);
}

TEST_F(PgListener, MayBeDestroyedWhileItRuns) {
    {
        Listener listener(io.get_executor(), db.config(), "jobs", remember());
        spawn(io.get_executor(), "listener", listener.run());
        ASSERT_TRUE(until([&] { return listener.listening(); }));
    }
    EXPECT_TRUE(until([&] {
        return db.sql(
                   "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND "
                   "pid <> pg_backend_pid()") == "0";
    }));
}

TEST_F(PgListener, TheNotifierSendsAtOnceAndThenSeldom) {
    Listener listener(io.get_executor(), db.config(), "jobs", remember());
    spawn(io.get_executor(), "listener", listener.run());
    ASSERT_TRUE(until([&] { return listener.listening(); }));
    heard.clear();
    Notifier notifier(io.get_executor(), pool, "jobs", 100ms, "news");
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; ++i) notifier.notify();
    ASSERT_TRUE(until([&] { return heard.size() == 1; }));
    for (int i = 0; i < 1000; ++i) notifier.notify();
    ASSERT_TRUE(until([&] { return heard.size() == 2; }));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 100ms);
    notifier.notify();
    ASSERT_TRUE(until([&] { return heard.size() == 3; }));
    EXPECT_EQ(heard.back(), "news");
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 200ms);
    EXPECT_TRUE(until([&] {  // what is heard may be ahead of what is counted
        return sample("rollcall_db_query_duration_seconds_count{statement=\"pg_notify\"}") >= 3;
    }));
    EXPECT_EQ(sample("rollcall_db_query_duration_seconds_count{statement=\"pg_notify\"}"), 3);
}

TEST_F(PgListener, TheNotifierDoesNotMindADatabaseThatIsAway) {
    DatabaseConfig nowhere = db.config();
    nowhere.url = Secret("postgresql://postgres@127.0.0.1:1/x");
    Pool away(io.get_executor(), "away", 1, nowhere, metrics);
    {
        Notifier notifier(io.get_executor(), away, "jobs", 1ms);
        notifier.notify();
        ASSERT_TRUE(until(
            [&] { return sample("rollcall_db_pool_wait_seconds_count{pool=\"away\"}") >= 1; }));
    }
    EXPECT_THAT(quiet.text(), testing::Not(testing::HasSubstr("task_failed")));
}

}  // namespace
}  // namespace rollcall::pg
