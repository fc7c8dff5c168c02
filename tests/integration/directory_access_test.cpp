// Who sees and changes what: row level security on the users table, and nothing of rollcall's own
// for anybody outside, whatever the server grants by default.
#include "directory_fixture.hpp"

#include <fstream>
#include <iterator>

namespace rollcall::directory {
namespace {

using testing::HasSubstr;

class DirectoryAccess : public DirectoryTest {
protected:
    DirectoryAccess() : DirectoryTest({}, /*create=*/false) {
        // As Supabase has it: everything new in public belongs to everybody.
        sql("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, "
            "authenticated, service_role; "
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, "
            "authenticated, service_role");
    }
    void make(UsersTableOptions options = {}) {
        const auto made = run(ensure_users_table(pool, config.columns, options));
        ASSERT_TRUE(made) << made.error().message;
        open();
        tell({.clerk_id = "user_a", .email = "a@example.com"});
        tell({.clerk_id = "user_b", .email = "b@example.com"});
    }
    // What `text` gives to someone with that role and subject; "denied" when it is forbidden.
    std::string as(std::string_view role, std::string_view subject, const std::string& text) {
        try {
            return sql(
                fmt::format("SELECT set_config('request.jwt.claims', '{{\"sub\": \"{}\", \"role\": "
                            "\"{}\"}}', true); SET LOCAL ROLE {}; {}",
                            subject, role, role, text));
        } catch (const std::exception& refused) {
            const std::string message = refused.what();
            if (message.find("permission denied") != std::string::npos) return "denied";
            return message;
        }
    }
    std::string id_of(const std::string& clerk_id) {
        return sql(fmt::format("SELECT id FROM users WHERE clerk_id = '{}'", clerk_id));
    }
};

std::vector<std::string> whats(const UsersTablePlan& plan) {
    std::vector<std::string> out;
    out.reserve(plan.steps.size());
    for (const auto& step : plan.steps) out.push_back(step.what);
    return out;
}

// Of the schema what access concerns.
void apply_steps(asio::io_context& io, pg::Pool& pool) {
    test::run(io, pool.execute_script("CREATE SCHEMA rollcall"));
    for (const char* step : {"0001_job_queue", "0002_ledger", "0003_access", "0009_mirror"}) {
        std::ifstream file(fmt::format("{}/migrations/{}.sql", ROLLCALL_SOURCE_DIR, step));
        const std::string text((std::istreambuf_iterator<char>(file)), {});
        test::run(io, pool.execute_script(text));
    }
}

constexpr const char* mine = "SELECT string_agg(clerk_id, ' ') FROM users";

TEST_F(DirectoryAccess, AUserSeesTheOwnRowWithEitherKindOfClaim) {
    make();
    EXPECT_EQ(as("authenticated", "user_a", mine), "user_a");
    EXPECT_EQ(as("authenticated", id_of("user_b"), mine), "user_b");
    EXPECT_EQ(as("authenticated", "user_x", mine), "");
    EXPECT_EQ(as("authenticated", "", mine), "");
    EXPECT_EQ(as("authenticated", "00000000-0000-0000-0000-000000000000", mine), "");
    EXPECT_EQ(as("anon", "user_a", mine), "denied");
    EXPECT_EQ(as("service_role", "", "SELECT count(*) FROM users"), "2");
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "2");  // the owner goes on as before
}

TEST_F(DirectoryAccess, ADeletedUserSeesNothing) {
    make();
    tell({.clerk_id = "user_a", .version = 5000, .deletion = true});
    EXPECT_EQ(as("authenticated", "user_a", mine), "");
}

TEST_F(DirectoryAccess, AUserChangesOnlyTheApplicationsColumnsOfTheOwnRow) {
    make();
    for (const std::string& subject : {std::string("user_a"), id_of("user_a")}) {
        EXPECT_EQ(
            as("authenticated", subject, R"(UPDATE users SET preferences = '{"theme": "dark"}')"),
            "");
        EXPECT_EQ(sql("SELECT string_agg(clerk_id, ' ') FROM users "
                      "WHERE preferences ->> 'theme' = 'dark'"),
                  "user_a");
        sql("UPDATE users SET preferences = '{}'");
        for (const char* column :
             {"role = 'admin'", "clerk_id = 'user_b'", "email = 'm@example.com'", "name = 'M'",
              "id = gen_random_uuid()", "deleted_at = NULL", "created_at = now()",
              R"("updatedAt" = now())"}) {
            EXPECT_EQ(as("authenticated", subject, fmt::format("UPDATE users SET {}", column)),
                      "denied")
                << column;
        }
        for (const char* text :
             {"DELETE FROM users", "TRUNCATE users",
              R"(INSERT INTO users (clerk_id, "updatedAt") VALUES ('user_m', now()))"}) {
            EXPECT_EQ(as("authenticated", subject, text), "denied") << text;
        }
    }
}

TEST_F(DirectoryAccess, ThePoliciesAreEvaluatedOnceAndUseTheIndexes) {
    make();
    sql(R"(INSERT INTO users (clerk_id, "updatedAt") SELECT 'user_' || n, now()
           FROM generate_series(1, 5000) n; ANALYZE users)");
    const std::string plan =
        as("authenticated", "user_a",
           "CREATE TEMP TABLE p (l text) ON COMMIT DROP; DO $$ DECLARE r text; BEGIN "
           "FOR r IN EXPLAIN SELECT * FROM users LOOP INSERT INTO p VALUES (r); END LOOP; END $$; "
           "SELECT string_agg(l, E'\\n') FROM p");
    EXPECT_THAT(plan, HasSubstr("InitPlan"));
    EXPECT_THAT(plan, testing::Not(HasSubstr("Seq Scan")));
}

TEST_F(DirectoryAccess, QueueAndLedgerGiveNothingAway) {
    make();
    for (const char* role : {"anon", "authenticated"}) {
        for (const char* text :
             {"SELECT * FROM job_queue", "DELETE FROM job_queue", "TRUNCATE job_queue",
              "INSERT INTO job_queue (job_type) VALUES ('USER_DELETED')",
              "UPDATE job_queue SET status = 'PENDING'", "SELECT * FROM rollcall.ledger",
              "SELECT * FROM rollcall.schema_steps", "SELECT rollcall.ensure_access()",
              "SELECT rollcall.enqueue('USER_DELETED', '{}')"}) {
            EXPECT_EQ(as(role, "user_a", text), "denied") << role << ": " << text;
        }
    }
    // A table that a later step makes, and one in public, whatever the defaults grant.
    sql("CREATE TABLE rollcall.later (x int); GRANT ALL ON rollcall.later TO anon");
    ASSERT_TRUE(run(ensure_users_table(pool, config.columns, {})));
    EXPECT_EQ(as("anon", "", "SELECT * FROM rollcall.later"), "denied");
    EXPECT_EQ(sql("SELECT count(*) FROM pg_class c WHERE NOT relrowsecurity AND relkind = 'r' AND "
                  "(relnamespace = 'rollcall'::regnamespace OR oid = 'job_queue'::regclass)"),
              "0");
}

TEST_F(DirectoryAccess, TheServerSideMayUseTheFunctions) {
    make();
    const std::string id = as(
        "service_role", "", R"(SELECT rollcall.enqueue('USER_CREATED', '{"clerk_id": "user_s"}'))");
    EXPECT_EQ(id.size(), 36) << id;
    EXPECT_EQ(as("service_role", "", "SELECT rollcall.cancel_job('" + id + "')"), "t");
    EXPECT_EQ(as("service_role", "", "SELECT rollcall.ensure_access()"), "denied");
    EXPECT_EQ(as("service_role", "", "SELECT * FROM rollcall.ledger"), "denied");
}

TEST_F(DirectoryAccess, AnAdoptedTableGetsItOnlyWhenAsked) {
    sql("CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text UNIQUE, email text UNIQUE, "
        "name text, role text, city text, deleted_at timestamptz);"
        "GRANT ALL ON users TO anon, authenticated;"
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY;"
        // As the documents wrote it: an error for every Clerk id.
        "CREATE POLICY users_select_own ON users FOR SELECT USING (auth.uid()::text = clerk_id)");
    config.columns.writable = {"city", "not_there"};
    make();
    EXPECT_THAT(as("authenticated", "user_a", mine), HasSubstr("invalid input syntax"));
    make({.with_rls = true});
    EXPECT_EQ(as("authenticated", "user_a", mine), "user_a");
    EXPECT_EQ(as("authenticated", id_of("user_a"), "UPDATE users SET city = 'Bern'"), "");
    EXPECT_EQ(sql("SELECT string_agg(clerk_id, ' ') FROM users WHERE city = 'Bern'"), "user_a");
    EXPECT_EQ(as("authenticated", "user_a", "UPDATE users SET role = 'admin'"), "denied");
    EXPECT_EQ(as("anon", "", mine), "denied");
    EXPECT_TRUE(run(ensure_users_table(pool, config.columns, {.with_rls = true}))->steps.empty());
}

TEST_F(DirectoryAccess, PoliciesOfOthersThatOpenRowsAreNamed) {
    sql("CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text UNIQUE, email text UNIQUE,"
        "name text, role text, deleted_at timestamptz);"
        "CREATE ROLE staff_of_policies NOLOGIN;"
        "CREATE POLICY mine ON users USING (true);"
        "CREATE POLICY narrow ON users AS RESTRICTIVE USING (true);"
        "CREATE POLICY staff ON users TO staff_of_policies USING (true);"
        "CREATE POLICY adding ON users FOR INSERT TO authenticated WITH CHECK (true);"
        "CREATE POLICY users_update_own ON users FOR UPDATE USING (true);"
        "CREATE POLICY theirs ON users FOR SELECT TO authenticated USING (true)");
    const auto plan = [&](UsersTableOptions options) {
        return run(plan_users_table(pool, config.columns, options))->notes;
    };
    EXPECT_THAT(plan({}), testing::IsEmpty());  // not ours to say
    const auto named = testing::ElementsAre(HasSubstr("policy \"mine\" on \"public\""),
                                            HasSubstr("policy \"theirs\" on \"public\""));
    EXPECT_THAT(plan({.with_rls = true}), named);
    EXPECT_THAT(run(ensure_users_table(pool, config.columns, {.with_rls = true}))->notes, named);
    EXPECT_THAT(plan({}), named);  // as doctor asks
    sql("DROP POLICY mine ON users; DROP POLICY theirs ON users");
    EXPECT_THAT(plan({}), testing::IsEmpty());
    sql("DROP OWNED BY staff_of_policies; DROP ROLE staff_of_policies");
}

// What decides about a user is not always in a column that the settings name.
TEST_F(DirectoryAccess, OfAnAdoptedTableOnlyNamedColumnsCanBeChanged) {
    sql(R"(CREATE TYPE "UserRole" AS ENUM ('user', 'admin');
           CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text UNIQUE, email text UNIQUE,
               name text, user_role "UserRole" NOT NULL DEFAULT 'user', is_owner boolean,
               preferences jsonb, deleted_at timestamptz))");
    config.columns.role = "";
    make({.with_rls = true});
    EXPECT_EQ(as("authenticated", "user_a", "UPDATE users SET user_role = 'admin'"), "denied");
    EXPECT_EQ(as("authenticated", "user_a", "UPDATE users SET is_owner = true"), "denied");
    EXPECT_EQ(as("authenticated", "user_a", "UPDATE users SET preferences = '{}'"), "");
    EXPECT_EQ(sql("SELECT string_agg(clerk_id, ' ') FROM users WHERE preferences IS NOT NULL"),
              "user_a");
}

TEST_F(DirectoryAccess, PrivilegesAreWhatTheyShouldBeAfterEveryMigrate) {
    make();
    const auto migrate = [&] {
        const auto made = run(ensure_users_table(pool, config.columns, {}));
        EXPECT_TRUE(made) << made.error().message;
        EXPECT_TRUE(run(plan_users_table(pool, config.columns, {}))->steps.empty());
        return whats(*made);
    };
    const auto once = testing::ElementsAre("privileges of authenticated and anon on public.users");
    EXPECT_THAT(migrate(), testing::IsEmpty());
    for (const char* opened :
         {"GRANT UPDATE (role) ON users TO authenticated", "GRANT ALL ON users TO authenticated",
          "GRANT SELECT ON users TO anon", "GRANT SELECT (email) ON users TO PUBLIC",
          "GRANT INSERT ON users TO authenticated", "REVOKE SELECT ON users FROM authenticated",
          "REVOKE UPDATE ON users FROM service_role"}) {
        sql(opened);
        EXPECT_THAT(migrate(), once) << opened;
        EXPECT_EQ(as("authenticated", "user_a", "UPDATE users SET role = 'admin'"), "denied");
        EXPECT_EQ(as("authenticated", "user_a", mine), "user_a");
        EXPECT_EQ(as("anon", "", "SELECT email FROM users"), "denied");
    }
    // A column of the application's is closed until the settings name it.
    sql("ALTER TABLE users ADD COLUMN city text");
    EXPECT_THAT(migrate(), testing::IsEmpty());
    EXPECT_EQ(as("authenticated", "user_a", "UPDATE users SET city = 'Bern'"), "denied");
    config.columns.writable = {"city"};
    EXPECT_THAT(migrate(), once);
    EXPECT_EQ(as("authenticated", "user_a", "UPDATE users SET city = 'Bern'"), "");
    EXPECT_EQ(as("authenticated", "user_a", "UPDATE users SET preferences = '{}'"), "denied");
    EXPECT_EQ(sql("SELECT string_agg(clerk_id, ' ') FROM users WHERE city = 'Bern'"), "user_a");
    sql("ALTER TABLE users DISABLE ROW LEVEL SECURITY");
    EXPECT_THAT(migrate(), testing::ElementsAre("row level security on public.users"));
}

TEST_F(DirectoryAccess, PoliciesFollowTheSettings) {
    make();
    sql("UPDATE users SET deleted_at = now() WHERE clerk_id = 'user_b'");
    const auto migrate = [&] {
        const auto made = run(ensure_users_table(pool, config.columns, {}));
        EXPECT_TRUE(made) << made.error().message;
        EXPECT_TRUE(run(plan_users_table(pool, config.columns, {}))->steps.empty());
        return whats(*made);
    };
    const auto functions = testing::ElementsAre(
        "functions rollcall.user_id() and rollcall.clerk_id() over public.users");
    EXPECT_THAT(migrate(), testing::IsEmpty());
    EXPECT_EQ(as("authenticated", "user_b", mine), "");
    config.columns.delete_mode = DeleteMode::hard;  // deleted_at says nothing any more
    EXPECT_THAT(migrate(), functions);
    EXPECT_EQ(as("authenticated", "user_b", mine), "user_b");
    config.columns.delete_mode = DeleteMode::soft;
    EXPECT_THAT(migrate(), functions);
    EXPECT_EQ(as("authenticated", "user_b", mine), "");
    EXPECT_EQ(as("authenticated", "user_a", mine), "user_a");
    // Of an earlier rollcall; those of anybody else stay theirs.
    sql("COMMENT ON POLICY users_update_own ON users IS 'made by rollcall, version 1'");
    EXPECT_THAT(migrate(), testing::ElementsAre("policy users_update_own on public.users"));
    sql("COMMENT ON POLICY users_update_own ON users IS 'ours'");
    EXPECT_THAT(run(ensure_users_table(pool, config.columns, {}))->steps, testing::IsEmpty());
}

TEST_F(DirectoryAccess, TheRoleCannotBeMadeWritable) {
    config.columns.writable = {"role"};
    const auto named_twice = run(ensure_users_table(pool, config.columns, {}));
    ASSERT_FALSE(named_twice);
    EXPECT_THAT(named_twice.error().message, HasSubstr("\"role\" is named for two things"));
    config.columns.writable = {};
    ASSERT_TRUE(run(ensure_users_table(pool, config.columns, {})));
    sql(R"(ALTER TABLE users ADD COLUMN former_role "UserRole")");
    config.columns.writable = {"former_role"};
    const auto refused = run(ensure_users_table(pool, config.columns, {}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::bad_configuration);
    EXPECT_THAT(refused.error().message, HasSubstr("users would choose their role"));
}

// A plan counts as there what carrying it out makes first.
TEST(DirectoryAccessOfASuperuser, IsPlannedAsItIsMade) {
    test::Postgres server;
    server.start();
    asio::io_context io;
    MetricsRegistry metrics;
    pg::Pool pool(io.get_executor(), "main", 2, {.url = Secret(server.url())}, metrics);
    const auto planned = test::run(io, plan_users_table(pool, {}, {}));
    ASSERT_TRUE(planned) << planned.error().message;
    EXPECT_THAT(planned->notes, testing::IsEmpty());
    apply_steps(io, pool);
    const auto made = test::run(io, ensure_users_table(pool, {}, {}));
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_THAT(made->notes, testing::IsEmpty());
    EXPECT_EQ(whats(*planned), whats(*made));
    EXPECT_THAT(whats(*made), testing::Contains(HasSubstr("policies users_select_own")));
    test::run(io, pool.stop());
}

// On a server of its own: roles belong to all databases of one.
TEST(DirectoryAccessOfALimitedRole, SaysWhatItMayNotMakeAndGoesOn) {
    test::Postgres server;
    server.start();
    test::sql(server.url(), "CREATE ROLE app LOGIN; CREATE ROLE stranger LOGIN");
    test::sql(server.url(), "CREATE DATABASE app OWNER app");
    std::string url = server.url("app");
    const std::size_t at = url.find("://") + 3;
    const std::size_t name_end = url.find_first_of("@/:?", at);
    if (url[name_end] == '@' || url[name_end] == ':') {
        url.replace(at, url.find('@', at) - at, "app");
    } else {
        url.insert(at, "app@");
    }
    asio::io_context io;
    MetricsRegistry metrics;
    pg::Pool pool(io.get_executor(), "main", 2, {.url = Secret(url)}, metrics);
    apply_steps(io, pool);
    const auto planned = test::run(io, plan_users_table(pool, {}, {}));
    ASSERT_TRUE(planned) << planned.error().message;
    const auto made = test::run(io, ensure_users_table(pool, {}, {}));
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(planned->notes, made->notes);
    EXPECT_EQ(whats(*planned), whats(*made));
    EXPECT_THAT(made->notes, testing::Contains(HasSubstr("role authenticated is missing")));
    EXPECT_THAT(made->notes, testing::Contains(HasSubstr("no policy on public.users")));
    EXPECT_TRUE(test::run(io, Directory::open(pool, {})));
    // Later somebody makes the roles; the next migrate makes the policies.
    test::sql(server.url(),
              "CREATE ROLE anon NOLOGIN NOINHERIT; "
              "CREATE ROLE authenticated NOLOGIN NOINHERIT; "
              "CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS");
    const auto again = test::run(io, ensure_users_table(pool, {}, {}));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_TRUE(again->notes.empty());
    EXPECT_EQ(test::sql(url, "SELECT count(*) FROM pg_policies WHERE tablename = 'users'"), "2");
    test::run(io, pool.stop());
}

}  // namespace
}  // namespace rollcall::directory
