// The example of a transaction as the caller: what holds in it, and that none of it is left behind,
// whatever happens.
#include "rls_fixture.hpp"

#include "caller_transaction.hpp"

#include <functional>

namespace rollcall::directory {
namespace {

using caller::CallerTransaction;
using caller::Connections;
using caller::DatabaseError;
using testing::HasSubstr;

class CallerTransactionTest : public RlsTest {
protected:
    CallerTransactionTest() { make(); }

    // One value of the first row.
    static std::string value(CallerTransaction& tx, const std::string& statement,
                             const std::vector<caller::Value>& values = {}) {
        const auto rows = tx.execute(statement, values);
        return rows.empty() ? "no row" : rows.at(0).at(0).value_or("NULL");
    }
    static std::string state_of(const std::function<void()>& refused) {
        try {
            refused();
        } catch (const DatabaseError& error) {
            return error.sqlstate.empty() ? error.what() : error.sqlstate;
        }
        return "nothing was refused";
    }
    // What the connection that is kept is by now; it must be a used one.
    std::string left_behind() {
        EXPECT_EQ(connections.idle(), 1U);
        const std::string cleaned = db.sql(fmt::format(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name = "
            "'caller' AND state = 'idle' AND query LIKE 'DISCARD%'",
            db.name()));
        EXPECT_EQ(cleaned, "1");
        CallerTransaction tx(connections, {});
        return value(tx,
                     "SELECT concat_ws('/', current_user, session_user, "
                     "current_setting('request.jwt.claims'), current_setting('app.kept', true), "
                     "current_setting('statement_timeout'), to_regclass('pg_temp.kept'))");
    }

    [[nodiscard]] std::string url(std::string_view parameter) const {
        const std::string whole = db.url();
        return whole + (whole.find('?') == whole.npos ? '?' : '&') + std::string(parameter);
    }

    Connections connections{url("application_name=caller"),
                            {.connect = 5s, .statement = 2s, .grace = 2s}};
};

TEST_F(CallerTransactionTest, TheCallerIsWhoRowLevelSecuritySays) {
    for (const std::string& subject : subjects("user_a")) {
        CallerTransaction tx(connections, {.subject = subject, .claims = ""});
        EXPECT_EQ(value(tx, "SELECT current_user"), "authenticated");
        EXPECT_EQ(value(tx, whose_rows), "user_a");
        EXPECT_EQ(value(tx, "SELECT rollcall.user_id()"), id_of("user_a"));
        EXPECT_EQ(value(tx, "SELECT current_setting('statement_timeout')"), "2s");
        EXPECT_EQ(value(tx, "SELECT $1::text || coalesce($2, '-')", {"a'b", std::nullopt}), "a'b-");
        tx.execute("UPDATE users SET preferences = jsonb_build_object('by', $1::text)", {subject});
        tx.commit();
        EXPECT_EQ(sql("SELECT string_agg(clerk_id, ' ') FROM users WHERE preferences ->> 'by' = " +
                      quote_literal(subject)),
                  "user_a");
    }
    CallerTransaction whole(connections,
                            {.subject = "", .claims = R"({"sub": "user_b", "org": "o1"})"});
    EXPECT_EQ(value(whole, whose_rows), "user_b");
    EXPECT_EQ(value(whole, "SELECT auth.jwt() ->> 'org'"), "o1");
}

TEST_F(CallerTransactionTest, WhoIsNobodyIsAnonymous) {
    CallerTransaction tx(connections, {});
    EXPECT_EQ(value(tx, "SELECT current_user || (auth.jwt() ->> 'role')"), "anonanon");
    EXPECT_EQ(state_of([&] { tx.execute("SELECT * FROM users"); }), "42501");
}

TEST_F(CallerTransactionTest, ASubjectIsAStringWhateverItHolds) {
    for (const std::string subject :
         {R"(","role":"service_role","x":")", "'; DROP TABLE users; --", "back\\slash",
          "tab\tnew\n", "\x01\x1f", "é€𝄞", "user_a\",\"sub\":\"user_b"}) {
        CallerTransaction tx(connections, {.subject = subject, .claims = ""});
        EXPECT_EQ(value(tx, "SELECT auth.jwt() ->> 'sub'"), subject);
        EXPECT_EQ(value(tx, "SELECT auth.jwt() ->> 'role'"), "authenticated");
        EXPECT_EQ(value(tx, whose_rows), "");
    }
    EXPECT_EQ(state_of([&] {
                  const CallerTransaction broken(connections, {.subject = "\xff", .claims = ""});
              }),
              "22021");
    EXPECT_THAT(left_behind(), HasSubstr("anon/"));
}

TEST_F(CallerTransactionTest, WithoutACommitNothingHappens) {
    {
        CallerTransaction tx(connections, {.subject = "user_a", .claims = ""});
        tx.execute("UPDATE users SET preferences = '{}'");
    }
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE preferences = '{}'"), "0");
    EXPECT_THROW(
        {
            CallerTransaction tx(connections, {.subject = "user_a", .claims = ""});
            tx.execute("UPDATE users SET preferences = '{}'");
            throw std::runtime_error("the application's own");
        },
        std::runtime_error);
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE preferences = '{}'"), "0");
    EXPECT_EQ(connections.idle(), 1U);
}

TEST_F(CallerTransactionTest, NothingOfTheCallerIsLeftBehind) {
    const auto spoil = [&](CallerTransaction& tx) {
        tx.execute("SELECT set_config('app.kept', 'secret', false)");
        tx.execute("SELECT set_config('request.jwt.claims', '{\"sub\": \"user_b\"}', false)");
        tx.execute("SET SESSION statement_timeout = '1h'");
        tx.execute("CREATE TEMP TABLE kept (x int)");
        tx.execute("SET ROLE authenticated");
    };
    const std::string clean = "anon/postgres/{\"role\":\"anon\"}//2s";
    {
        CallerTransaction tx(connections, {.subject = "user_a", .claims = ""});
        spoil(tx);
        tx.commit();
    }
    EXPECT_EQ(left_behind(), clean);
    {
        CallerTransaction tx(connections, {.subject = "user_a", .claims = ""});
        spoil(tx);
    }
    EXPECT_EQ(left_behind(), clean);
    {
        CallerTransaction tx(connections, {.subject = "user_a", .claims = ""});
        spoil(tx);
        EXPECT_EQ(state_of([&] { tx.execute("SELECT 1/0"); }), "22012");
        EXPECT_THAT(state_of([&] { tx.execute("SELECT 1"); }), HasSubstr("ended, or failed"));
        EXPECT_THAT(state_of([&] { tx.commit(); }), HasSubstr("ended, or failed"));
    }
    EXPECT_EQ(left_behind(), clean);
}

TEST_F(CallerTransactionTest, AStatementThatEndsTheTransactionIsTheLast) {
    for (const char* statement : {"COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"}) {
        SCOPED_TRACE(statement);
        CallerTransaction tx(connections, {.subject = "user_a", .claims = ""});
        EXPECT_THAT(state_of([&] { tx.execute(statement); }), HasSubstr("ended the transaction"));
        EXPECT_THAT(state_of([&] { tx.execute("SELECT * FROM rollcall.ledger"); }),
                    HasSubstr("ended, or failed"));
        EXPECT_EQ(connections.idle(), 0U);  // it is closed, not given back
    }
    CallerTransaction tx(connections, {.subject = "user_a", .claims = ""});
    EXPECT_EQ(state_of([&] { tx.execute("SELECT 1; COMMIT; SELECT 2"); }), "42601");
}

TEST_F(CallerTransactionTest, EveryWaitHasAnEnd) {
    Connections quick(db.url(), {.connect = 5s, .statement = 100ms, .grace = 100ms});
    {
        CallerTransaction tx(quick, {.subject = "user_a", .claims = ""});
        EXPECT_EQ(state_of([&] { tx.execute("SELECT pg_sleep(60)"); }), "57014");  // by the server
    }
    EXPECT_EQ(quick.idle(), 1U);
    {
        CallerTransaction tx(quick, {.subject = "user_a", .claims = ""});
        tx.execute("SELECT set_config('statement_timeout', '0', true)");
        EXPECT_THAT(state_of([&] { tx.execute("SELECT pg_sleep(60)"); }), HasSubstr("in time"));
    }
    EXPECT_EQ(quick.idle(), 0U);  // in the middle of a statement: of no use any more
}

TEST_F(CallerTransactionTest, AConnectionThatBrokeIsReplaced) {
    const std::string kill = fmt::format(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = '{}' "
        "AND application_name = 'caller'",
        db.name());
    {
        CallerTransaction tx(connections, {.subject = "user_a", .claims = ""});
        EXPECT_EQ(sql(kill), "1");
        EXPECT_NE(state_of([&] { tx.execute("SELECT 1"); }), "nothing was refused");
    }
    EXPECT_EQ(connections.idle(), 0U);
    {
        const CallerTransaction tx(connections, {});
    }
    EXPECT_EQ(connections.idle(), 1U);
    EXPECT_EQ(sql(kill), "1");  // while it is idle
    CallerTransaction tx(connections, {.subject = "user_a", .claims = ""});
    EXPECT_EQ(value(tx, whose_rows), "user_a");
}

TEST_F(CallerTransactionTest, NoMoreAreKeptThanAllowed) {
    Connections few(db.url(), {}, 2);
    {
        const CallerTransaction a(few, {});
        const CallerTransaction b(few, {});
        const CallerTransaction c(few, {});
    }
    EXPECT_EQ(few.idle(), 2U);
}

TEST_F(CallerTransactionTest, ARoleThatMayNotIsRefused) {
    sql("DROP ROLE IF EXISTS rls_app; CREATE ROLE rls_app LOGIN NOINHERIT");
    Connections app(url("user=rls_app"));
    const auto ask = [&] {
        CallerTransaction tx(app, {.subject = "user_a", .claims = ""});
        return value(tx, whose_rows);
    };
    EXPECT_EQ(state_of([&] { ask(); }), "42501");
    EXPECT_EQ(app.idle(), 1U);
    sql("GRANT authenticated, anon TO rls_app");
    EXPECT_EQ(ask(), "user_a");
    sql("DROP ROLE rls_app");
}

}  // namespace
}  // namespace rollcall::directory
