// How row level security comes about: on tables of other names, over what an earlier release or
// somebody else has made, and what of it stays when somebody has changed it.
#include "rls_fixture.hpp"

namespace rollcall::directory {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* both_policies =
    "policies users_select_own and users_update_own on public.users";
constexpr const char* functions =
    "functions rollcall.user_id() and rollcall.clerk_id() over public.users";

// The expression of an earlier release: the claim itself, by either column.
std::string earlier(std::string_view clerk_id, std::string_view id, std::string_view deleted_at) {
    return fmt::format(
        "(\"{}\" = (SELECT auth.jwt() ->> 'sub')\n        OR \"{}\" = (SELECT CASE WHEN auth.jwt() "
        "->> 'sub' ~ '^[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}$'\n"
        "                    THEN (auth.jwt() ->> 'sub')::uuid END))\n        AND \"{}\" IS NULL",
        clerk_id, id, deleted_at);
}

class RlsMigrate : public RlsTest {
protected:
    // As an earlier release left it.
    void put_back(const std::string& table, const std::string& expression) const {
        for (const auto& [policy, command, check] :
             {std::tuple{"users_select_own", "SELECT", false},
              std::tuple{"users_update_own", "UPDATE", true}}) {
            sql(fmt::format(
                "DROP POLICY IF EXISTS {0} ON {1}; CREATE POLICY {0} ON {1} FOR {2} TO "
                "authenticated USING ({3}) {4}; COMMENT ON POLICY {0} ON {1} IS {5}",
                policy, table, command, expression, check ? "WITH CHECK (" + expression + ")" : "",
                quote_literal("made by rollcall: " + expression)));
        }
    }
    std::string policy(std::string_view name) const {
        return sql(fmt::format("SELECT qual FROM pg_policies WHERE policyname = '{}'", name));
    }
};

TEST_F(RlsMigrate, WhatAnEarlierReleaseMadeIsMadeAnew) {
    make();
    put_back("users", earlier("clerk_id", "id", "deleted_at"));
    sql("DROP FUNCTION rollcall.clerk_id()");
    const auto planned = run(plan_users_table(pool, config.columns, {}));
    ASSERT_TRUE(planned);
    ASSERT_EQ(planned->steps.size(), 2U);
    EXPECT_THAT(planned->steps[1].sql, HasSubstr("DROP POLICY IF EXISTS users_select_own"));
    EXPECT_THAT(migrate(), ElementsAre(functions, both_policies));
    EXPECT_THAT(notes, IsEmpty());
    EXPECT_EQ(policy("users_select_own"), "(id = ( SELECT rollcall.user_id() AS user_id))");
    EXPECT_THAT(migrate(), IsEmpty());
    EXPECT_EQ(as("user_a", whose_rows), "user_a");
    // Of a table with types and names of its own the server shows casts and quotes.
    sql("ALTER TABLE users RENAME clerk_id TO \"Clerk Id\"; "
        "ALTER TABLE users ALTER \"Clerk Id\" TYPE varchar(80)");
    config.columns.clerk_id = "Clerk Id";
    put_back("users", earlier("Clerk Id", "id", "deleted_at"));
    EXPECT_THAT(migrate(), ElementsAre(functions, both_policies));
    EXPECT_THAT(notes, IsEmpty());
}

TEST_F(RlsMigrate, WhatSomebodyHasChangedStaysUntilAsked) {
    make();
    const std::string theirs = "((id = ( SELECT rollcall.user_id() AS user_id)) OR true)";
    struct Case {
        const char* edit;
        const char* made_anew;
    };
    constexpr Case cases[]{
        {"ALTER POLICY users_select_own ON users USING (id = (SELECT rollcall.user_id()) OR true)",
         "policy users_select_own on public.users"},
        {"ALTER POLICY users_select_own ON users TO authenticated, anon",
         "policy users_select_own on public.users"},
        {"ALTER POLICY users_update_own ON users WITH CHECK (true)",
         "policy users_update_own on public.users"},
        {"ALTER POLICY users_update_own ON users USING (false)",
         "policy users_update_own on public.users"},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(one.edit);
        sql(one.edit);
        EXPECT_THAT(migrate(), IsEmpty());
        EXPECT_THAT(notes, ElementsAre(HasSubstr("was changed since rollcall made it")));
        EXPECT_THAT(run(plan_users_table(pool, config.columns, {}))->notes, notes);  // as doctor
        EXPECT_THAT(migrate({.with_rls = true}), ElementsAre(one.made_anew));
        EXPECT_THAT(notes, IsEmpty());
        EXPECT_THAT(migrate({.with_rls = true}), IsEmpty());
    }
    // Also over an upgrade: of an earlier release's policies the one that was changed stays.
    put_back("users", earlier("clerk_id", "id", "deleted_at"));
    sql("ALTER POLICY users_select_own ON users USING (id = (SELECT rollcall.user_id()) OR true)");
    EXPECT_THAT(migrate(), ElementsAre("policy users_update_own on public.users"));
    EXPECT_THAT(notes, ElementsAre(HasSubstr("policy users_select_own on public.users")));
    EXPECT_EQ(policy("users_select_own"), theirs);
    EXPECT_EQ(as("user_a", whose_rows), "user_a user_b");
    EXPECT_THAT(migrate({.with_rls = true}),
                ElementsAre("policy users_select_own on public.users"));
    EXPECT_EQ(as("user_a", whose_rows), "user_a");
}

TEST_F(RlsMigrate, AFunctionOfTheseNamesThatIsNotRollcallsIsMadeAnew) {
    make();
    for (const char* edit :
         {"CREATE OR REPLACE FUNCTION rollcall.user_id() RETURNS uuid LANGUAGE sql STABLE SECURITY "
          "DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT id FROM public.users LIMIT 1'",
          "ALTER FUNCTION rollcall.user_id() SECURITY INVOKER",
          "ALTER FUNCTION rollcall.clerk_id() RESET search_path",
          "ALTER FUNCTION rollcall.user_id() VOLATILE"}) {
        SCOPED_TRACE(edit);
        sql(edit);
        EXPECT_THAT(migrate(), ElementsAre(functions));
        EXPECT_THAT(migrate(), IsEmpty());
        EXPECT_EQ(as("user_a", whose_rows), "user_a");
    }
}

// The names and types that installations have: each kind of claim finds the row by its index.
TEST_F(RlsMigrate, TablesOfOtherNamesAndTypes) {
    sql("CREATE EXTENSION citext; CREATE SCHEMA \"Odd one\"");
    struct Case {
        const char* type;
        const char* collation;
    };
    constexpr Case cases[]{{"text", ""},   {"varchar(80)", ""},       {"text", "COLLATE \"C\""},
                           {"citext", ""}, {"public.clerk_name", ""}, {"public.clerk_folded", ""}};
    sql("CREATE DOMAIN public.clerk_name AS text; CREATE DOMAIN public.clerk_folded AS citext");
    config.columns = {.table = "\"Odd one\".\"the.people\"",
                      .id = "sub",
                      .clerk_id = "the \"Clerk\" id",
                      .email = "",
                      .name = "subject",
                      .role = "",
                      .created_at = {},
                      .updated_at = {},
                      .deleted_at = "gone at",
                      .writable = {"city"}};
    for (const Case& one : cases) {
        SCOPED_TRACE(fmt::format("{} {}", one.type, one.collation));
        sql(fmt::format(
            "DROP TABLE IF EXISTS \"Odd one\".\"the.people\"; DELETE FROM rollcall.ledger; "
            "DELETE FROM job_queue; CREATE TABLE \"Odd one\".\"the.people\" (sub uuid PRIMARY KEY "
            "DEFAULT gen_random_uuid(), \"the \"\"Clerk\"\" id\" {} {} UNIQUE, subject text, city "
            "text)",
            one.type, one.collation));
        EXPECT_THAT(migrate({.with_rls = true}), testing::Not(IsEmpty()));
        EXPECT_THAT(migrate(), IsEmpty());
        open();
        tell({.clerk_id = "user_a", .name = "Ann"});
        tell({.clerk_id = "user_b", .name = "Bea"});
        const std::string mine = "SELECT string_agg(subject, ' ') FROM \"Odd one\".\"the.people\"";
        const std::string id =
            sql("SELECT sub FROM \"Odd one\".\"the.people\" WHERE subject = 'Ann'");
        for (const std::string& subject : {std::string("user_a"), id}) {
            EXPECT_EQ(as(subject, mine), "Ann");
            EXPECT_EQ(as(subject, "SELECT rollcall.user_id() || ' ' || rollcall.clerk_id()"),
                      id + " user_a");
            EXPECT_EQ(as(subject, "UPDATE \"Odd one\".\"the.people\" SET city = 'Bern'"), "");
            EXPECT_EQ(as(subject, "UPDATE \"Odd one\".\"the.people\" SET subject = 'M'"), "denied");
        }
        EXPECT_EQ(sql("SELECT string_agg(subject, ' ') FROM \"Odd one\".\"the.people\" "
                      "WHERE city = 'Bern'"),
                  "Ann");
        tell({.clerk_id = "user_a", .version = 9000, .deletion = true});
        EXPECT_EQ(as("user_a", mine), "");
        EXPECT_EQ(as(id, mine), "");
        // Nothing but the row itself is read.
        const std::string source =
            sql("SELECT prosrc FROM pg_proc WHERE oid = 'rollcall.user_id()'::regprocedure");
        const auto from = source.rfind("SELECT u.");
        std::string query = source.substr(from, source.find(';', from) - from);
        query.replace(query.find("INTO known "), 11, "");
        query.replace(query.rfind("subject"), 7, "'user_b'::text");
        EXPECT_THAT(sql("SET search_path = pg_catalog, pg_temp; SET enable_seqscan = off; "
                        "SET enable_bitmapscan = off; EXPLAIN " +
                        query),
                    testing::Not(HasSubstr("Seq Scan")))
            << query;
    }
}

// With hard deletion there is no column to ask, and no row.
TEST_F(RlsMigrate, HardDeletionAsksTheLedgerAlone) {
    config.columns.delete_mode = DeleteMode::hard;
    make();
    EXPECT_EQ(as("user_a", whose_rows), "user_a");
    sql("UPDATE users SET deleted_at = now() WHERE clerk_id = 'user_a'");
    EXPECT_EQ(as("user_a", whose_rows), "user_a");  // the application's column, by this setting
    tell({.clerk_id = "user_a", .version = 5000, .deletion = true});
    EXPECT_EQ(as("user_a", whose_rows), "");
    EXPECT_EQ(as("user_b", whose_rows), "user_b");
}

// An adopted table without row level security has the functions all the same: for the
// application's own tables.
TEST_F(RlsMigrate, TheFunctionsComeWithoutThePolicies) {
    sql("CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text UNIQUE, email text UNIQUE, "
        "name text, role text, deleted_at timestamptz)");
    EXPECT_THAT(migrate(), ElementsAre(functions));
    EXPECT_EQ(sql("SELECT count(*) FROM pg_policies"), "0");
    open();
    tell({.clerk_id = "user_a"});
    EXPECT_EQ(as("user_a", "SELECT rollcall.user_id()"), id_of("user_a"));
}

}  // namespace
}  // namespace rollcall::directory
