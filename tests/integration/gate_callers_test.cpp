// Who callers are, over a real database: whatever is committed, by whomever, counts within a
// second; a first request never races the webhook; an outage is bridged for so long.
#include "gate/callers.hpp"

#include "polling_fixture.hpp"
#include "sync/user_refresh.hpp"

#include <chrono>

namespace rollcall::gate {
namespace {

using directory::ColumnMap;
using directory::DeleteMode;
using directory::DirectoryConfig;
using directory::StandingAsked;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

const Demand admin_rule{.admin = true, .max_staleness = std::nullopt};

class GateCallersTest : public sync::PollingTest {
protected:
    explicit GateCallersTest(DirectoryConfig c = {}) : PollingTest(std::move(c)) {}
    ~GateCallersTest() override {
        if (callers != nullptr) EXPECT_TRUE(run(callers->stop(test::deadline)));
    }

    void start(const Clock& time, bool can_ask = true) {
        limits.wait = 20s;  // this machine may be slow
        limits.provisioning.wait = 20s;
        callers = std::make_unique<Callers>(
            io.get_executor(), limits,
            [this](std::span<const StandingAsked> asked, bool with_age) {
                return directory->standings().read(pool, asked, with_age);
            },
            can_ask ? Provisioning::Fetch([this](std::string id) { return fetch(std::move(id)); })
                    : Provisioning::Fetch(),
            time, metrics);
    }
    Task<bool> fetch(std::string clerk_id) {
        const auto summary = co_await users.run(std::move(clerk_id), sync::RunTrigger::gate);
        co_return summary && summary->status == sync::RunStatus::completed;
    }

    std::string verdict(const Demand& demand = {}, const std::string& clerk_id = "user_a",
                        const std::string& session_id = "sess_1") {
        const auto caller = run(callers->find(clerk_id, session_id));
        if (!caller) return caller.error().message;
        const auto refusal = judge_standing(*caller, demand);
        return refusal ? std::string(to_string(*refusal)) : "allowed";
    }
    // What is answered when an answer of before is too old.
    std::string later(const Demand& demand = {}, const std::string& clerk_id = "user_a") {
        clock.advance(std::chrono::duration_cast<std::chrono::milliseconds>(limits.fresh_for) +
                      1ms);
        return verdict(demand, clerk_id);
    }
    void revoke(const std::string& session_id) const {
        sql(
            fmt::format("INSERT INTO rollcall.session_revocations (session_id, revoked_at) "
                        "VALUES ('{}', now())",
                        session_id));
    }

    ManualClock clock{SystemTime(1'762'340'400s)};
    CallersConfig limits;
    sync::RunLedger runs{pool, "test"};
    sync::UserRefresh users{runs, lookups()};
    std::unique_ptr<Callers> callers;
};

TEST_F(GateCallersTest, ASessionRevokedOverAnotherConnectionIsRefusedWithinASecond) {
    tell({});
    start(real_clock());
    ASSERT_EQ(verdict(), "allowed");
    revoke("sess_1");
    const auto committed = std::chrono::steady_clock::now();
    // It is in use all the time. Whoever asks a second later is refused, however slow this is.
    while (std::chrono::steady_clock::now() - committed < 1s) {
        if (verdict() == "session_revoked") break;
    }
    EXPECT_EQ(verdict(), "session_revoked");
    EXPECT_EQ(verdict({}, "user_a", "sess_2"), "allowed");
    EXPECT_LT(limits.fresh_for, 1s);
    EXPECT_THAT(metrics.render(), HasSubstr("rollcall_revocation_propagation_seconds_count 1"));
}

TEST_F(GateCallersTest, WhatIsWrittenByHandCounts) {
    tell({.role = "admin"});
    start(clock);
    EXPECT_EQ(verdict(admin_rule), "allowed");
    sql("UPDATE users SET role = 'user'");
    EXPECT_EQ(later(admin_rule), "not_admin");
    sql("UPDATE users SET role = 'admin'");
    EXPECT_EQ(later(admin_rule), "allowed");
    sql("UPDATE rollcall.ledger SET banned = true");
    EXPECT_EQ(later(), "user_banned");
    sql("UPDATE rollcall.ledger SET banned = false, locked = true");
    EXPECT_EQ(later(), "user_banned");
    sql("UPDATE rollcall.ledger SET locked = false");
    EXPECT_EQ(later(), "allowed");
    sql("UPDATE users SET deleted_at = now()");
    EXPECT_EQ(later(), "user_deleted");
}

TEST_F(GateCallersTest, WhatEventsSayCounts) {
    tell({.version = 1000});
    start(clock);
    const auto caller = run(callers->find("user_a", "sess_1"));
    ASSERT_TRUE(caller);
    EXPECT_EQ(caller->standing.user_id, sql("SELECT id FROM users"));
    EXPECT_EQ(caller->standing.role, "user");
    tell({.version = 2000, .banned = true});
    EXPECT_EQ(later(), "user_banned");
    tell({.version = 3000, .role = "admin"});
    EXPECT_EQ(later(admin_rule), "allowed");
    tell({.version = 4000, .deletion = true});
    EXPECT_EQ(later(), "user_deleted");
    EXPECT_EQ(clerk.asked["user_a"], 0);
}

TEST_F(GateCallersTest, FiftyFirstRequestsAreOneCallToClerkAndOneRow) {
    clerk.add("user_new", 1'600'000'000'000);
    clerk.pause = 5ms;
    start(real_clock());
    int done = 0;
    int allowed = 0;
    const auto request = [&](std::string session) -> Task<> {
        const auto caller = co_await callers->find("user_new", std::move(session));
        allowed += caller && !judge_standing(*caller, {}) ? 1 : 0;
        ++done;
    };
    for (int i = 0; i < 50; ++i) {
        spawn(io.get_executor(), "request", request("sess_" + std::to_string(i % 7)));
    }
    EXPECT_TRUE(test::wait_until(io, [&] { return done == 50; }));
    EXPECT_EQ(allowed, 50);
    EXPECT_EQ(clerk.asked["user_new"], 1);
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "1");
    EXPECT_EQ(sql("SELECT string_agg(trigger || ' ' || status, ',') FROM rollcall.sync_runs"),
              "gate completed");
}

TEST_F(GateCallersTest, ClerkAwayKnownUsersKeepWorking) {
    tell({});
    clerk.on_get = [](const std::string&) { return Error{ErrorCode::unavailable, "503"}; };
    start(clock);
    EXPECT_EQ(verdict(), "allowed");
    EXPECT_EQ(verdict({}, "user_new"), "user_unknown");
    EXPECT_EQ(verdict({}, "user_new"), "user_unknown");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.sync_runs"), "1");
    tell({.clerk_id = "user_new"});  // by webhook
    EXPECT_EQ(later({}, "user_new"), "allowed");
}

TEST_F(GateCallersTest, WithoutASecretKeyTheWebhookIsWaitedFor) {
    limits.webhook_wait = 20s;
    limits.webhook_look = 5ms;
    start(real_clock(), /*can_ask=*/false);
    const auto webhook = [this]() -> Task<> {
        co_await sleep(50ms);
        enqueue({});
        const auto batch = co_await directory->apply_due(pool, ClaimPosition{.priority = 1});
        EXPECT_EQ(batch->size(), 1);
    };
    spawn(io.get_executor(), "webhook", webhook());
    EXPECT_EQ(verdict(), "allowed");
}

TEST_F(GateCallersTest, ARowTakenAwayByHandIsMadeAgain) {
    clerk.add("user_a", 1'600'000'000'000);
    tell({.version = 1000});
    start(clock);
    EXPECT_EQ(verdict(), "allowed");
    sql("DELETE FROM users");
    EXPECT_EQ(later(), "allowed");
    EXPECT_EQ(clerk.asked["user_a"], 1);
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "1");
}

TEST_F(GateCallersTest, AStaleTableIsRefusedWhereTheRuleSaysSo) {
    const Demand demand{.admin = false, .max_staleness = 10min};
    tell({});
    start(clock);
    EXPECT_EQ(verdict(demand), "sync_stale");  // no pass, no delivery yet
    EXPECT_EQ(verdict(), "allowed");
    clerk.add("user_a", 1'600'000'000'000);
    EXPECT_EQ(full().status, sync::RunStatus::completed);
    EXPECT_EQ(later(demand), "allowed");
    sql("UPDATE rollcall.sync_runs SET started_at = started_at - interval '11 minutes', "
        "finished_at = finished_at - interval '11 minutes'");
    EXPECT_EQ(later(demand), "sync_stale");
}

TEST_F(GateCallersTest, ABatchGoesByIndexes) {
    sql("INSERT INTO users (clerk_id, \"updatedAt\") SELECT 'user_' || n, now() "
        "FROM generate_series(1, 10000) n");
    sql("INSERT INTO rollcall.ledger (clerk_id, user_id) SELECT clerk_id, id FROM users");
    sql("INSERT INTO rollcall.session_revocations (session_id, revoked_at) "
        "SELECT 'sess_' || n, now() FROM generate_series(1, 10000) n");
    sql("ANALYZE users; ANALYZE rollcall.ledger; ANALYZE rollcall.session_revocations");
    std::string text;
    for (const auto& one : directory->statements()) {
        if (one.name == "standings") text = one.text;
    }
    const std::string plan =
        sql("PREPARE s AS " + text +
            "; EXPLAIN (FORMAT JSON) EXECUTE s('{user_1,user_20,user_300,user_4000}', "
            "'{sess_1,sess_20,sess_300,sess_4000}', false)");
    EXPECT_THAT(plan, Not(HasSubstr("Seq Scan")));
    EXPECT_THAT(plan, HasSubstr("ledger_pkey"));
    EXPECT_THAT(plan, HasSubstr("session_revocations_pkey"));
}

class GateHardDeletion : public GateCallersTest {
protected:
    GateHardDeletion() : GateCallersTest(hard()) {}
    static DirectoryConfig hard() {
        DirectoryConfig config;
        config.columns.delete_mode = DeleteMode::hard;
        return config;
    }
};

TEST_F(GateHardDeletion, WhoseRowIsGoneIsDeletedAndNotFetched) {
    tell({.version = 1000});
    start(clock);
    EXPECT_EQ(verdict(), "allowed");
    tell({.version = 2000, .deletion = true});
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "0");
    EXPECT_EQ(later(), "user_deleted");
    EXPECT_EQ(clerk.asked["user_a"], 0);
}

class GateAdoptedTable : public GateCallersTest {
protected:
    GateAdoptedTable() : GateCallersTest(other_names()) {}
    static DirectoryConfig other_names() {
        DirectoryConfig config;
        config.columns = ColumnMap{.table = "\"the.people\"",
                                   .id = "person",
                                   .clerk_id = "Clerk",
                                   .email = "",
                                   .name = "full name",
                                   .role = "rank",
                                   .created_at = {},
                                   .updated_at = {},
                                   .deleted_at = "gone"};
        return config;
    }
};

TEST_F(GateAdoptedTable, IsReadByItsNames) {
    tell({.version = 1000, .role = "admin"});
    start(clock);
    EXPECT_EQ(verdict(admin_rule), "allowed");
    sql("UPDATE \"the.people\" SET rank = 'user'");
    EXPECT_EQ(later(admin_rule), "not_admin");
    tell({.version = 2000, .deletion = true});
    EXPECT_EQ(later(), "user_deleted");
    // A row that was there before, of whom Clerk has said nothing yet.
    sql("INSERT INTO \"the.people\" (\"Clerk\") VALUES ('user_old')");
    clerk.add("user_old", 1'600'000'000'000).banned = true;
    EXPECT_EQ(later({}, "user_old"), "allowed");
    EXPECT_TRUE(test::wait_until(io, [&] {
        return sql("SELECT banned FROM rollcall.ledger WHERE clerk_id = 'user_old'") == "t";
    }));
    EXPECT_EQ(later({}, "user_old"), "user_banned");
}

// A server of its own, which is stopped.
TEST(GateOutage, KnownUsersGoOnForSoLongAndAdminsDoNot) {
    asio::io_context io;
    MetricsRegistry metrics;
    ManualClock clock{SystemTime(1'762'340'400s)};
    test::Postgres server;
    test::Database db{test::Database::Content::migrated, server};
    pg::Pool pool{io.get_executor(), "gate", 2, db.config(), metrics};
    ASSERT_TRUE(test::run(io, directory::ensure_users_table(pool, {}, {})));
    auto directory = test::run(io, directory::Directory::open(pool, {}));
    ASSERT_TRUE(directory);
    db.sql("INSERT INTO users (clerk_id, role, \"updatedAt\") VALUES ('user_a', 'admin', now())");
    db.sql("INSERT INTO rollcall.ledger (clerk_id, user_id) SELECT clerk_id, id FROM users");
    Callers callers(
        io.get_executor(), {.wait = 20s},
        [&](std::span<const StandingAsked> asked, bool with_age) {
            return (*directory)->standings().read(pool, asked, with_age);
        },
        {}, clock, metrics);
    const auto verdict = [&](const Demand& demand) -> std::string {
        const auto caller = test::run(io, callers.find("user_a", "sess_1"));
        if (!caller) return caller.error().message;
        const auto refusal = judge_standing(*caller, demand);
        return refusal ? std::string(to_string(*refusal)) : "allowed";
    };
    ASSERT_EQ(verdict(admin_rule), "allowed");
    server.stop_immediate();
    clock.advance(1s);
    EXPECT_EQ(verdict({}), "allowed");
    EXPECT_EQ(verdict(admin_rule), "policy_error");
    clock.advance(1min);
    EXPECT_THAT(verdict({}), HasSubstr("does not say who"));
    server.start();
    EXPECT_TRUE(test::wait_until(io, [&] {
        clock.advance(1s);
        return verdict(admin_rule) == "allowed";
    }));
    EXPECT_TRUE(test::run(io, callers.stop(10s)));
    test::run(io, pool.stop());
}

}  // namespace
}  // namespace rollcall::gate
