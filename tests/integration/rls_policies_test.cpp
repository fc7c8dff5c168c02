// The policies of the users table: both kinds of claims, four verbs, the own row and others', and
// callers who are nobody, or nobody any more.
#include "rls_fixture.hpp"

namespace rollcall::directory {
namespace {

using testing::HasSubstr;

constexpr const char* dark =
    "WITH changed AS (UPDATE users SET preferences = '{\"theme\": \"dark\"}' RETURNING clerk_id) "
    "SELECT coalesce(string_agg(clerk_id, ' '), '') FROM changed";

TEST_F(RlsTest, TheOwnRowIsSeenAndChangedWithEitherKindOfClaim) {
    make();
    for (const std::string& subject : subjects("user_a")) {
        SCOPED_TRACE(subject);
        EXPECT_EQ(as(subject, whose_rows), "user_a");
        EXPECT_EQ(as(subject, dark), "user_a");
        EXPECT_EQ(sql("SELECT string_agg(clerk_id, ' ') FROM users "
                      "WHERE preferences ->> 'theme' = 'dark'"),
                  "user_a");
        sql("UPDATE users SET preferences = '{}'");
    }
}

TEST_F(RlsTest, OthersRowsAreNeitherSeenNorChanged) {
    make();
    for (const std::string& subject : subjects("user_a")) {
        SCOPED_TRACE(subject);
        EXPECT_EQ(as(subject, fmt::format("{} WHERE clerk_id = 'user_b'", whose_rows)), "");
        EXPECT_EQ(as(subject,
                     "WITH changed AS (UPDATE users SET preferences = '{}' WHERE clerk_id = "
                     "'user_b' RETURNING 1) SELECT count(*) FROM changed"),
                  "0");
    }
    EXPECT_EQ(sql("SELECT preferences ->> 'theme' FROM users WHERE clerk_id = 'user_b'"), "system");
}

TEST_F(RlsTest, NobodyInsertsOrDeletesAndTheMirroredColumnsAreRollcalls) {
    make();
    for (const std::string& subject : subjects("user_a")) {
        for (const char* text :
             {"DELETE FROM users", "DELETE FROM users WHERE clerk_id = 'user_a'", "TRUNCATE users",
              R"(INSERT INTO users (clerk_id, "updatedAt") VALUES ('user_m', now()))",
              R"(INSERT INTO users (clerk_id, "updatedAt") VALUES ('user_a', now())
                 ON CONFLICT (clerk_id) DO UPDATE SET role = 'admin')",
              "UPDATE users SET role = 'admin'", "UPDATE users SET clerk_id = 'user_b'",
              "UPDATE users SET email = 'm@example.com'", "UPDATE users SET name = 'M'",
              "UPDATE users SET deleted_at = NULL", "UPDATE users SET id = gen_random_uuid()",
              "UPDATE users SET preferences = '{}', role = 'admin'"}) {
            EXPECT_EQ(as(subject, text), "denied") << subject << ": " << text;
        }
    }
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE role = 'user'"), "2");
}

TEST_F(RlsTest, WhoIsAnonymousReachesNothingWithWhateverClaims) {
    make();
    for (const std::string& subject : {std::string("user_a"), id_of("user_a"), std::string()}) {
        for (const char* text :
             {whose_rows, "UPDATE users SET preferences = '{}'", "DELETE FROM users",
              R"(INSERT INTO users (clerk_id, "updatedAt") VALUES ('user_m', now()))"}) {
            EXPECT_EQ(as(subject, text, "anon"), "denied") << text;
        }
    }
    EXPECT_EQ(sql(fmt::format("SET ROLE authenticated; {}", whose_rows)), "");  // no claims at all
}

TEST_F(RlsTest, WhoIsDeletedBannedOrLockedHasNoRow) {
    make();
    struct Case {
        const char* what;
        const char* undone;
    };
    constexpr Case cases[]{
        {"UPDATE users SET deleted_at = now() WHERE clerk_id = 'user_a'",
         "UPDATE users SET deleted_at = NULL"},
        {"UPDATE rollcall.ledger SET deleted_at = now() WHERE clerk_id = 'user_a'",
         "UPDATE rollcall.ledger SET deleted_at = NULL"},
        {"UPDATE rollcall.ledger SET banned = true WHERE clerk_id = 'user_a'",
         "UPDATE rollcall.ledger SET banned = false"},
        {"UPDATE rollcall.ledger SET locked = true WHERE clerk_id = 'user_a'",
         "UPDATE rollcall.ledger SET locked = false"},
    };
    const auto both = subjects("user_a");
    for (const Case& one : cases) {
        SCOPED_TRACE(one.what);
        sql(one.what);
        for (const std::string& subject : both) {
            EXPECT_EQ(as(subject, whose_rows), "");
            EXPECT_EQ(as(subject, dark), "");
            EXPECT_EQ(as(subject, "SELECT rollcall.user_id()"), "");
            EXPECT_EQ(as(subject, "SELECT rollcall.clerk_id()"), "");
        }
        EXPECT_EQ(as("user_b", whose_rows), "user_b");  // others go on
        sql(one.undone);
        EXPECT_EQ(as("user_a", whose_rows), "user_a");
    }
    // By Clerk's own word.
    tell({.clerk_id = "user_a", .version = 5000, .banned = true});
    EXPECT_EQ(as("user_a", whose_rows), "");
    tell({.clerk_id = "user_a", .version = 6000});
    EXPECT_EQ(as("user_a", whose_rows), "user_a");
    tell({.clerk_id = "user_a", .version = 7000, .deletion = true});
    EXPECT_EQ(as("user_a", whose_rows), "");
}

// Not how long it takes: how often the claim is looked at.
TEST_F(RlsTest, TheClaimIsEvaluatedOnceForAllRows) {
    make();
    sql(R"(INSERT INTO users (clerk_id, "updatedAt") SELECT 'user_' || n, now()
           FROM generate_series(1, 5000) n; ANALYZE users;
           CREATE TABLE notes (owner_id uuid, text text);
           INSERT INTO notes SELECT id, clerk_id FROM users;
           GRANT SELECT ON notes TO authenticated;
           ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
           CREATE POLICY own ON notes USING (owner_id = (SELECT rollcall.user_id())))");
    const auto explain = [&](const std::string& query) {
        return as("user_a",
                  fmt::format("CREATE TEMP TABLE p (l text) ON COMMIT DROP; DO $$ DECLARE "
                              "r text; BEGIN FOR r IN EXPLAIN (ANALYZE, COSTS OFF, "
                              "TIMING OFF, SUMMARY OFF) {} LOOP INSERT INTO p VALUES "
                              "(r); END LOOP; END $$; "
                              "SELECT string_agg(l, E'\\n') FROM p",
                              query));
    };
    const auto count = [](std::string_view text, std::string_view part) {
        int n = 0;
        for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
        return n;
    };
    const std::string own = explain("SELECT * FROM users");
    EXPECT_EQ(count(own, "InitPlan"), 1) << own;
    EXPECT_THAT(own, HasSubstr("Index Scan using \"User_pkey\""));
    EXPECT_THAT(own, HasSubstr("Result (actual rows=1 loops=1)"));
    EXPECT_EQ(count(own, "user_id"), 0) << own;  // in no filter
    const std::string notes_plan = explain("SELECT * FROM notes");
    EXPECT_EQ(count(notes_plan, "InitPlan"), 1) << notes_plan;
    EXPECT_THAT(notes_plan, HasSubstr("Rows Removed by Filter: 5001"));
    EXPECT_THAT(notes_plan, HasSubstr("Result (actual rows=1 loops=1)"));
    EXPECT_EQ(count(notes_plan, "user_id"), 0) << notes_plan;
}

}  // namespace
}  // namespace rollcall::directory
